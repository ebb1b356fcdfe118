#include "core/job_setting.hpp"

#include "engine/view/owner_settings.hpp"

#include <algorithm>

#include "shmem/server_settings.hpp"

namespace metrics_refresh::engine {
namespace {

// Groups of settings, as the server's manual has them, that can decide what a query's rows are. All
// others are about resources, plans, logging, statistics, replication or debugging.
bool can_decide_rows(int group) {
  switch (group) {
    case CLIENT_CONN_STATEMENT:
    case CLIENT_CONN_LOCALE:
    case CLIENT_CONN_OTHER:
    case COMPAT_OPTIONS_PREVIOUS:
    case COMPAT_OPTIONS_PREVIOUS + 1:  // with other clients; 17 calls it by another name than 15
    case CUSTOM_OPTIONS:
      return true;
    default:
      return false;
  }
}

// What of these groups stays the caller's all the same.
constexpr const char* kCallers[] = {
    // Limits of time.
    "statement_timeout", "lock_timeout", "transaction_timeout",
    "idle_in_transaction_session_timeout", "idle_session_timeout",
    // Limits of space, and where there is some.
    "temp_tablespaces", "default_tablespace", "gin_pending_list_limit",
    // The transaction is under way.
    "transaction_isolation", "transaction_read_only", "transaction_deferrable",
    "default_transaction_isolation", "default_transaction_read_only",
    "default_transaction_deferrable",
    // Fixed for every refresh.
    "search_path",
    // What the client is told, and in which letters.
    "client_min_messages", "client_encoding",
    // What a superuser switches off in an emergency, and what forbids something.
    "event_triggers", "restrict_nonsystem_relation_kind",
    // Read at the start of a session only.
    "local_preload_libraries", "session_preload_libraries"};

// Libraries that watch statements and change no row; ours are about how it works.
constexpr const char* kCallersLibraries[] = {"auto_explain.", "metrics_refresh.",
                                             "pg_stat_statements."};

bool is_callers(const char* name) {
  for (const char* const callers : kCallers)
    if (pg_strcasecmp(name, callers) == 0) return true;
  for (const char* const library : kCallersLibraries)
    if (pg_strncasecmp(name, library, strlen(library)) == 0) return true;
  return false;
}

bool is_owners(const config_generic* setting) {
  if (setting->context != PGC_USERSET && setting->context != PGC_SUSET) return false;
  return can_decide_rows(setting->group) && !is_callers(setting->name);
}

std::string value_of(const config_generic* setting) {
  const char* const name = setting->name;
  const char* const value = pg::call([name] { return GetConfigOption(name, true, false); });
  return value != nullptr ? value : "";
}

const std::string* value_in(const pg::Settings& settings, const std::string& name) {
  const auto found = std::find_if(settings.begin(), settings.end(), [&name](const auto& one) {
    return pg::is_same_setting(one.first, name);
  });
  return found != settings.end() ? &found->second : nullptr;
}

// For the nest level. A value that the server does not take is warned of, as at a login.
void set_as_at_login(const std::string& name, const std::string& value) {
  const char* const name_text = name.c_str();
  const char* const value_text = value.c_str();
  pg::call([=] {
    (void)set_config_option(name_text, value_text, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
                            WARNING, false);
  });
}

// By the server itself: no role, database or client.
bool is_of_server(GucSource source) { return source <= PGC_S_ARGV; }

// What the caller's session has by a SET, its client or its role, and the owner's would not. A
// superuser's setting of a library, for auditing for one, is no caller's to be rid of.
bool is_foreign(const config_generic* setting) {
  return !is_of_server(setting->source) &&
         !(setting->group == CUSTOM_OPTIONS && setting->context == PGC_SUSET);
}

// What it is where no role, database or client says otherwise.
class Server {
 public:
  std::optional<std::string> value_of(const config_generic* setting) {
    if (is_of_server(setting->reset_source)) {
      const char* const name = setting->name;
      const char* const value = pg::call([name] { return GetConfigOptionResetString(name); });
      return value != nullptr ? value : "";
    }
    if (!published_) published_.emplace();
    std::optional<std::string> value = published_->find(setting->name);
    if (!value && (setting->flags & GUC_CUSTOM_PLACEHOLDER) != 0) value = "";
    return value;
  }

 private:
  std::optional<shmem::ServerSettings> published_;
};

struct All {
  config_generic** settings;
  int count;
};

All all_settings() {
  return pg::call([] {
    All all = {};
    all.settings = pg::all_settings(&all.count);
    return all;
  });
}

const config_generic* find(const All& all, const char* name) {
  for (int i = 0; i < all.count; ++i)
    if (pg_strcasecmp(all.settings[i]->name, name) == 0) return all.settings[i];
  return nullptr;
}

// A name that nobody has defined may be set by anybody.
bool is_owners(const All& all, const std::string& name) {
  const config_generic* const known = find(all, name.c_str());
  if (known != nullptr) return is_owners(known);
  return name.find('.') != std::string::npos && !is_callers(name.c_str());
}

void note_value(pg::Settings& overridden, const std::string& name) {
  const char* const text = name.c_str();
  const char* const value = pg::call([text] { return GetConfigOption(text, true, false); });
  overridden.emplace_back(name, value != nullptr ? value : "");
}

void take_back_foreign(const All& all, const pg::Settings& own, pg::Settings& overridden) {
  Server server;
  for (int i = 0; i < all.count; ++i) {
    const config_generic* const setting = all.settings[i];
    // The source first: few settings have another one, and names take longer to compare.
    if (!is_foreign(setting) || !is_owners(setting) || value_in(own, setting->name) != nullptr)
      continue;
    const std::optional<std::string> value = server.value_of(setting);
    if (!value || *value == value_of(setting)) continue;
    note_value(overridden, setting->name);
    set_as_at_login(setting->name, *value);
  }
}

// The list may be another one as soon as one of nobody's has been set.
pg::Settings changed_by(const All& all, const pg::Settings& own) {
  pg::Settings changed;
  for (const auto& [name, value] : own) {
    const config_generic* const known = find(all, name.c_str());
    if (is_owners(all, name) && (known == nullptr || value_of(known) != value))
      changed.emplace_back(name, value);
  }
  return changed;
}

}  // namespace

std::string setting_of(Oid role, const std::string& name) {
  const pg::Settings own = pg::settings_of_role(role);
  if (const std::string* const value = value_in(own, name)) return *value;
  if (const auto value = shmem::ServerSettings().find(name)) return *value;
  const char* const text = name.c_str();
  const char* const value = pg::call([text]() -> const char* {
    return GetConfigOption(text, true, false) != nullptr ? GetConfigOptionResetString(text)
                                                         : nullptr;
  });
  return value != nullptr ? value : "";
}

std::vector<SettingDifference> different_settings(Oid role, Oid owner) {
  std::vector<SettingDifference> differences;
  if (role == owner) return differences;
  const All all = all_settings();
  pg::Settings written = pg::settings_of_role(role);
  for (auto& other : pg::settings_of_role(owner))
    if (value_in(written, other.first) == nullptr) written.push_back(std::move(other));
  for (const auto& [name, value] : written) {
    if (!is_owners(all, name)) continue;
    SettingDifference one = {name, setting_of(role, name), setting_of(owner, name)};
    if (one.roles != one.owners) differences.push_back(std::move(one));
  }
  return differences;
}

namespace detail {
namespace {

Overridden* innermost = nullptr;

}  // namespace

Overridden::Overridden() noexcept : outer_(innermost) { innermost = this; }
Overridden::~Overridden() { innermost = outer_; }

int begin_settings_of(Oid owner, const pg::Settings& of_job, pg::Settings& overridden) {
  const int level = pg::call([] { return NewGUCNestLevel(); });
  const pg::Settings own = pg::settings_of_role(owner);
  const All all = all_settings();
  const pg::Settings changed = changed_by(all, own);
  take_back_foreign(all, own, overridden);
  for (const auto& [name, value] : changed) {
    note_value(overridden, name);
    set_as_at_login(name, value);
  }
  for (const auto& [name, value] : of_job) {
    if (core::why_no_job_setting(name) != nullptr) continue;
    note_value(overridden, name);
    pg::set_as(owner, name, value, GUC_ACTION_SAVE);
  }
  return level;
}

// The last one noted of a name is what another of ours had set: the first one counts.
int begin_settings_of_session() {
  const int level = pg::call([] { return NewGUCNestLevel(); });
  if (innermost == nullptr) return level;
  const pg::Settings& values = innermost->values;
  for (auto one = values.rbegin(); one != values.rend(); ++one)
    set_as_at_login(one->first, one->second);
  return level;
}

}  // namespace detail
}  // namespace metrics_refresh::engine
