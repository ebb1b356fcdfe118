#include "shmem/server_settings.hpp"

#include <cstring>

#include "pg/role_setting.hpp"
#include "shmem/area.hpp"

namespace metrics_refresh::shmem {
namespace {

// All settings of PostgreSQL 18 need 9 kB; extensions add theirs. A setting that does not fit is
// left out.
constexpr Size kRoom = 64 * 1024;

struct Published {
  Size used;
  char text[kRoom];  // name, value, name, value, each ended by a zero byte
};

Published* published = nullptr;

bool may_change_in_session(const config_generic* setting) {
  return setting->context == PGC_USERSET || setting->context == PGC_SUSET;
}

Size append(char* text, Size used, const char* name, const char* value) {
  for (const char* const word : {name, value}) {
    const Size length = std::strlen(word) + 1;
    memcpy(text + used, word, length);
    used += length;
  }
  return used;
}

}  // namespace

Size server_settings_size() { return MAXALIGN(sizeof(Published)); }

void init_server_settings(char* memory, bool found) {
  published = reinterpret_cast<Published*>(memory);
  if (!found) published->used = 0;
}

void publish_server_settings() {
  pg::call([] {
    int count = 0;
    config_generic** const all = pg::all_settings(&count);
    auto* const text = static_cast<char*>(palloc(kRoom));
    Size used = 0;
    for (int i = 0; i < count; ++i) {
      if (!may_change_in_session(all[i])) continue;
      // The reset value, because the process has set some settings for itself.
      const char* const reset = GetConfigOptionResetString(all[i]->name);
      const char* const value = reset != nullptr ? reset : "";
      if (used + std::strlen(all[i]->name) + std::strlen(value) + 2 > kRoom) continue;
      used = append(text, used, all[i]->name, value);
    }
    // The text is complete before the lock is taken, because palloc() may raise an error.
    LWLockAcquire(area()->lock, LW_EXCLUSIVE);
    memcpy(published->text, text, used);
    published->used = used;
    LWLockRelease(area()->lock);
    pfree(text);
  });
}

ServerSettings::ServerSettings() {
  if (published == nullptr || area() == nullptr) return;
  // The string is allocated before the lock is taken. The text is split after it was released.
  std::string text(kRoom, '\0');
  char* const to = text.data();
  const Size used = locked(LW_SHARED, [to] {
    memcpy(to, published->text, published->used);
    return published->used;
  });
  for (const char* at = to; at < to + used;) {
    const char* const value = at + std::strlen(at) + 1;
    values_.emplace_back(at, value);
    at = value + std::strlen(value) + 1;
  }
}

std::optional<std::string> ServerSettings::find(const std::string& name) const {
  for (const auto& [known, value] : values_)
    if (pg::is_same_setting(known, name)) return value;
  return std::nullopt;
}

}  // namespace metrics_refresh::shmem
