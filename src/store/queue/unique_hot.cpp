#include "store/queue/unique_hot.hpp"

#include "pg/guard.hpp"
#include "store/queue/hot_reader.hpp"
#include "store/queue/tables.hpp"

namespace metrics_refresh::store::queue {
namespace {

bool visit_segment(HotReader& reader, std::int64_t hash, UniqueVisitor visit, void* context) {
  Relation const index = index_open(tables().hot_unique[reader.segment], AccessShareLock);
  pg::IndexReader rows = pg::begin_read(reader.hot, index, reader.snapshot, 1);
  ScanKeyData key = pg::int8_key(1, BTEqualStrategyNumber, hash);
  pg::restart_read(rows, &key, 1);
  bool is_done = false;
  pg::FoundRow row;
  while (!is_done && pg::read_next(rows, &row)) {
    if (has_ended(reader, id_of(reader, row), version_of(reader, row)))
      pg::release_row(row);
    else
      is_done = visit(context, copied_job(reader, row));
  }
  pg::end_read(rows);
  index_close(index, AccessShareLock);
  return is_done;
}

}  // namespace

void visit_unique_hot(std::int64_t hash, Snapshot snapshot, UniqueVisitor visit, void* context) {
  pg::call([=] {
    bool is_done = false;
    for (std::uint8_t segment = 0; segment < kSegments && !is_done; ++segment) {
      HotReader reader;
      open_reader(&reader, segment, snapshot);
      // Most segments are empty, and an empty index has no root to search.
      if (RelationGetNumberOfBlocks(reader.hot) > 0)
        is_done = visit_segment(reader, hash, visit, context);
      close_reader(reader);
    }
  });
}

}  // namespace metrics_refresh::store::queue
