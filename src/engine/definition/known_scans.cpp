#include "engine/definition/known_scans.hpp"

#include "pg/role_setting.hpp"

namespace metrics_refresh::engine {
namespace {

// Beyond it all are forgotten.
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

MemoryContext memory = nullptr;  // of all that follows
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

// Ours do not touch plans. What no library has defined, none reads.
bool is_of_library(const config_generic* setting) {
  return setting->group == CUSTOM_OPTIONS && (setting->flags & GUC_CUSTOM_PLACEHOLDER) == 0 &&
         pg_strncasecmp(setting->name, "metrics_refresh.", strlen("metrics_refresh.")) != 0;
}

void note_settings() {
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
  if (memory == nullptr) {
    CacheRegisterRelcacheCallback(on_invalidation, Datum{0});
    memory = AllocSetContextCreate(TopMemoryContext, "metrics_refresh known scans",
                                   ALLOCSET_DEFAULT_SIZES);
  }
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
  note_settings();
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
    is_stale = false;
  }
}

// What was invalidated while it was planned may be what the plan was made of.
void know_scan(Oid table, bool with_children, const ReplacedScan& replaced) {
  if (!is_current()) return;
  const Key key = key_of(table, with_children);
  const char* const name =
      replaced.scan != nullptr ? MemoryContextStrdup(memory, replaced.scan) : nullptr;
  static_cast<Known*>(hash_search(known, &key, HASH_ENTER, nullptr))->replaced = {name,
                                                                                  replaced.table};
}

}  // namespace metrics_refresh::engine
