// A cache of the results of elsewhere.cpp in this process.
//
// The key is the table, the current role, and whether children are included. The cache is valid as
// long as three things stay the same. These are the hooks of the planner, the settings of other
// libraries, and the relation cache of the server. An invalidation of any relation sets a flag, and
// the next lookup finds nothing. The cache is emptied only when a new result is about to be stored.
#include "engine/definition/known_scans.hpp"

#include "pg/role_setting.hpp"

namespace metrics_refresh::engine {
namespace {

// If the cache has this many entries, it is emptied.
constexpr int kMostKnown = 1000;

struct Key {
  Oid table;
  Oid role;
  int with_children;
};

struct Known {
  Key key;
  ReplacedScan replaced;
};

struct Hooks {
  planner_hook_type planner;
  set_rel_pathlist_hook_type path_list;
  create_upper_paths_hook_type upper_paths;
};

MemoryContext memory = nullptr;  // holds the cache and the list of settings
HTAB* known = nullptr;
List* settings = NIL;  // names of the libraries' settings
std::uint64_t settings_then = 0;
Hooks hooks_then = {};
bool is_stale = true;

void on_invalidation(Datum, Oid) { is_stale = true; }

Hooks hooks_now() { return {planner_hook, set_rel_pathlist_hook, create_upper_paths_hook}; }

bool is_same(const Hooks& a, const Hooks& b) {
  return a.planner == b.planner && a.path_list == b.path_list && a.upper_paths == b.upper_paths;
}

// The extension's own settings do not affect plans. A placeholder is a setting that no library has
// defined, so no library reads it.
bool is_of_library(const config_generic* setting) {
  return setting->group == CUSTOM_OPTIONS && (setting->flags & GUC_CUSTOM_PLACEHOLDER) == 0 &&
         pg_strncasecmp(setting->name, "metrics_refresh.", strlen("metrics_refresh.")) != 0;
}

void collect_settings() {
  int count = 0;
  config_generic** const all = pg::all_settings(&count);
  for (int i = 0; i < count; ++i)
    if (is_of_library(all[i])) settings = lappend(settings, pstrdup(all[i]->name));
}

std::uint64_t settings_now() {
  std::uint64_t hash = 0;
  ListCell* cell;
  foreach (cell, settings) {
    const char* const value = GetConfigOption(static_cast<char*>(lfirst(cell)), true, false);
    const char* const text = value != nullptr ? value : "";
    hash = hash_combine64(hash, hash_bytes_extended(reinterpret_cast<const unsigned char*>(text),
                                                    static_cast<int>(strlen(text)), 0));
  }
  return hash;
}

void forget_all() {
  // A callback cannot be unregistered, so it is registered once per process.
  if (memory == nullptr) {
    CacheRegisterRelcacheCallback(on_invalidation, Datum{0});
    memory = AllocSetContextCreate(TopMemoryContext, "metrics_refresh known scans",
                                   ALLOCSET_DEFAULT_SIZES);
  }
  // The pointers are cleared before the reset. If an error occurs below, they do not point to freed
  // memory.
  known = nullptr;
  settings = NIL;
  MemoryContextReset(memory);
  const MemoryContext before = MemoryContextSwitchTo(memory);
  HASHCTL control = {};
  control.keysize = sizeof(Key);
  control.entrysize = sizeof(Known);
  control.hcxt = memory;
  known = hash_create("metrics_refresh known scans", 64, &control,
                      HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
  collect_settings();
  MemoryContextSwitchTo(before);
  hooks_then = hooks_now();
  settings_then = settings_now();
}

bool is_current() {
  return known != nullptr && !is_stale && is_same(hooks_then, hooks_now()) &&
         settings_then == settings_now();
}

Key key_of(Oid table, bool with_children) { return {table, GetUserId(), with_children ? 1 : 0}; }

}  // namespace

bool are_scans_hooked() {
  return planner_hook != nullptr || set_rel_pathlist_hook != nullptr ||
         create_upper_paths_hook != nullptr;
}

const ReplacedScan* find_known_scan(Oid table, bool with_children) {
  if (!is_current()) return nullptr;
  const Key key = key_of(table, with_children);
  const auto* const found = static_cast<const Known*>(hash_search(known, &key, HASH_FIND, nullptr));
  return found != nullptr ? &found->replaced : nullptr;
}

void begin_to_know_scan() {
  if (!is_current() || hash_get_num_entries(known) >= kMostKnown) {
    forget_all();
    // The flag is cleared before planning. An invalidation during planning then sets it again, and
    // know_scan() stores nothing.
    is_stale = false;
  }
}

// A plan may be based on data that was invalidated while it was made. Such a plan is not stored.
void know_scan(Oid table, bool with_children, const ReplacedScan& replaced) {
  if (!is_current()) return;
  const Key key = key_of(table, with_children);
  const char* const name =
      replaced.scan != nullptr ? MemoryContextStrdup(memory, replaced.scan) : nullptr;
  static_cast<Known*>(hash_search(known, &key, HASH_ENTER, nullptr))->replaced = {name,
                                                                                  replaced.table};
}

}  // namespace metrics_refresh::engine
