#include "pg/table_growth.hpp"

#include <algorithm>

namespace metrics_refresh::pg {
namespace {

// Any plan reads smaller tables fast. In blocks.
constexpr BlockNumber kSmall = 4;

struct Seen {
  Oid table;
  BlockNumber blocks;
};
// More tables than this extension fills row by row.
constexpr int kMostTables = 16;
Seen seen[kMostTables] = {};

Seen& remembered(Oid table) {
  for (Seen& entry : seen) {
    if (entry.table == table) return entry;
    if (OidIsValid(entry.table)) continue;
    entry = {table, kSmall};
    return entry;
  }
  seen[0] = {table, kSmall};
  return seen[0];
}

}  // namespace

void replan_if_grown(Relation table) {
  call([table] {
    Seen& last = remembered(RelationGetRelid(table));
    const BlockNumber blocks = RelationGetNumberOfBlocks(table);
    // The table was truncated or vacuumed, and may grow again.
    if (blocks < last.blocks / 2) last.blocks = std::max(blocks, kSmall);
    if (blocks < last.blocks * 2) return;
    last.blocks = blocks;
    // Invalidates all plans that use the table, in all sessions. They are made again at the next
    // use.
    CacheInvalidateRelcache(table);
  });
}

}  // namespace metrics_refresh::pg
