// Sets the settings of the view's owner for the time of a refresh in another role's session.
//
// Three steps lead to the values of a new session of the owner. First, the owner's settings for
// this database and role are read from pg_db_role_setting. Second, every setting that the caller's
// session got from its role, its client or SET goes back to the server's value. Third, the owner's
// values and then those of the job are set. Example:
//   server: DateStyle ISO;  caller: SET DateStyle = German;  owner: TimeZone = UTC
// The refresh runs with DateStyle ISO and TimeZone UTC. All values are local to a nest level, and
// its end restores the caller's values. Settings that cannot change rows stay the caller's.
#include "core/job_setting.hpp"

#include "engine/view/owner_settings.hpp"

#include <algorithm>

#include "shmem/server_settings.hpp"

namespace metrics_refresh::engine {
namespace {

// True for groups of settings, as in the server's manual, that can affect the rows of a query. All
// other groups are about resources, plans, logging, statistics, replication or debugging.
bool can_decide_rows(int group) {
  switch (group) {
    case CLIENT_CONN_STATEMENT:
    case CLIENT_CONN_LOCALE:
    case CLIENT_CONN_OTHER:
    case COMPAT_OPTIONS_PREVIOUS:
    case COMPAT_OPTIONS_PREVIOUS + 1:  // other clients; its name differs between 15 and 17
    case CUSTOM_OPTIONS:
      return true;
    default:
      return false;
  }
}

// Settings of these groups that keep the caller's value.
constexpr const char* kCallers[] = {
    // Limits of time.
    "statement_timeout", "lock_timeout", "transaction_timeout",
    "idle_in_transaction_session_timeout", "idle_session_timeout",
    // Limits and places of storage.
    "temp_tablespaces", "default_tablespace", "gin_pending_list_limit",
    // They cannot change in a transaction that has begun, or apply only to later ones.
    "transaction_isolation", "transaction_read_only", "transaction_deferrable",
    "default_transaction_isolation", "default_transaction_read_only",
    "default_transaction_deferrable",
    // Fixed for every refresh.
    "search_path",
    // Messages to the client, and their encoding.
    "client_min_messages", "client_encoding",
    // A superuser sets these in an emergency, or to forbid something.
    "event_triggers", "restrict_nonsystem_relation_kind",
    // Read at the start of a session only.
    "local_preload_libraries", "session_preload_libraries"};

// Libraries that watch statements and change no row. The settings of this extension do not affect
// rows either.
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

// Sets a value until the end of the nest level. If the server rejects the value, a warning is
// issued, as at a login.
void set_as_at_login(const std::string& name, const std::string& value) {
  const char* const name_text = name.c_str();
  const char* const value_text = value.c_str();
  pg::call([=] {
    (void)set_config_option(name_text, value_text, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
                            WARNING, false);
  });
}

// True if the value comes from the server itself, and not from a role, a database or a client.
bool is_of_server(GucSource source) { return source <= PGC_S_ARGV; }

// True if the caller's session has the value from SET, its client or its role, so the owner's
// session would not have it. A superuser's setting of a library stays, for example one for
// auditing, because the caller must not evade it.
bool is_foreign(const config_generic* setting) {
  return !is_of_server(setting->source) &&
         !(setting->group == CUSTOM_OPTIONS && setting->context == PGC_SUSET);
}

// The value that a setting has if no role, database or client sets it.
class Server {
 public:
  std::optional<std::string> value_of(const config_generic* setting) {
    // The reset value is known in this session. If a role or client has replaced it, only the
    // launcher knows the server's value.
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

// A name that no library has defined can be set by any role.
bool is_owners(const All& all, const std::string& name) {
  const config_generic* const known = find(all, name.c_str());
  if (known != nullptr) return is_owners(known);
  return name.find('.') != std::string::npos && !is_callers(name.c_str());
}

void add_value(pg::Settings& overridden, const std::string& name) {
  const char* const text = name.c_str();
  const char* const value = pg::call([text] { return GetConfigOption(text, true, false); });
  overridden.emplace_back(name, value != nullptr ? value : "");
}

void restore_foreign(const All& all, const pg::Settings& own, pg::Settings& overridden) {
  Server server;
  for (int i = 0; i < all.count; ++i) {
    const config_generic* const setting = all.settings[i];
    // The source is checked first. Few settings have a foreign one, and comparisons of names take
    // longer.
    if (!is_foreign(setting) || !is_owners(setting) || value_in(own, setting->name) != nullptr)
      continue;
    const std::optional<std::string> value = server.value_of(setting);
    if (!value || *value == value_of(setting)) continue;
    add_value(overridden, setting->name);
    set_as_at_login(setting->name, *value);
  }
}

// The changes are collected before the first one is made. The list of settings may be reallocated
// when a placeholder is created.
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
  // Both sessions would have the same settings.
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
  // If an error occurs below, the abort of the transaction ends the nest level.
  const int level = pg::call([] { return NewGUCNestLevel(); });
  const pg::Settings own = pg::settings_of_role(owner);
  const All all = all_settings();
  const pg::Settings changed = changed_by(all, own);
  restore_foreign(all, own, overridden);
  for (const auto& [name, value] : changed) {
    add_value(overridden, name);
    set_as_at_login(name, value);
  }
  for (const auto& [name, value] : of_job) {
    // A stored name may be one that this version does not allow.
    if (core::reason_against_job_setting(name) != nullptr) continue;
    add_value(overridden, name);
    // A setting of a job needs the owner's right to set it. The owner's own settings were checked
    // when ALTER ROLE stored them.
    pg::set_as(owner, name, value, GUC_ACTION_SAVE);
  }
  return level;
}

// If a name occurs several times, the first value is the session's. The later ones were set by this
// file. So the values are set in reverse order.
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
