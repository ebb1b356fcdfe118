#include "core/queue/turns.hpp"

#include "store/queue/segment_rows.hpp"

#include "pg/guard.hpp"
#include "store/queue/tables.hpp"

namespace metrics_refresh::store::queue {
namespace {

// All end marks have the same size: id and version after the header of a row.
constexpr Size kMarkSize =
    MAXALIGN(MAXALIGN(SizeofHeapTupleHeader) + sizeof(std::int64_t) + sizeof(std::int16_t)) +
    sizeof(ItemIdData);
constexpr std::int64_t kMarksOfPage = (BLCKSZ - SizeOfPageHeaderData) / kMarkSize;

}  // namespace

std::int64_t ended_rows(std::uint8_t segment) {
  return pg::call([segment] {
    Relation const marks = open_queue_table(tables().ended[segment], AccessShareLock);
    const std::int64_t pages = RelationGetNumberOfBlocks(marks);
    table_close(marks, AccessShareLock);
    return pages * kMarksOfPage;
  });
}

JobNumber last_number(pg::Spi& spi, std::uint8_t segment) {
  const pg::Rows rows =
      spi.query("SELECT coalesce(max(id), 0) AS last FROM metrics_refresh_internal.queue_hot_" +
                std::to_string(segment));
  return rows.get_int64(0, "last");
}

}  // namespace metrics_refresh::store::queue
