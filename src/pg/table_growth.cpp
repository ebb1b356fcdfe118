#include "pg/table_growth.hpp"

#include <algorithm>

namespace metrics_refresh::pg {
namespace {

// Smaller tables are read fast by any plan.
constexpr BlockNumber kSmall = 4;

struct Seen {
  Oid table;
  BlockNumber blocks;
};
constexpr int kMostTables = 8;  // more than have triggers of ours
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

void replan_where_grown(Relation table) {
  call([table] {
    Seen& last = remembered(RelationGetRelid(table));
    const BlockNumber blocks = RelationGetNumberOfBlocks(table);
    if (blocks < last.blocks / 2) last.blocks = std::max(blocks, kSmall);
    if (blocks < last.blocks * 2) return;
    last.blocks = blocks;
    CacheInvalidateRelcache(table);
  });
}

}  // namespace metrics_refresh::pg
