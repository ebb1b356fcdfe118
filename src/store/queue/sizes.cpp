#include "store/queue/sizes.hpp"

#include <algorithm>

#include "pg/guard.hpp"
#include "store/queue/tables.hpp"

namespace metrics_refresh::store::queue {
namespace {

// The size of a row with these bytes of values, and of its pointer.
constexpr Size row_size(Size values) {
  return MAXALIGN(MAXALIGN(SizeofHeapTupleHeader) + values) + sizeof(ItemIdData);
}

constexpr std::int64_t rows_of_page(Size row) {
  return static_cast<std::int64_t>((BLCKSZ - SizeOfPageHeaderData) / row);
}

// All end marks have the same size: id and version.
constexpr std::int64_t kMarksOfPage = rows_of_page(row_size(10));
// As most claims are: three numbers of eight bytes, a token, and eight bytes more.
constexpr std::int64_t kClaimsOfPage = rows_of_page(row_size(48));

std::int64_t pages_of(Oid table) {
  return pg::call([table]() -> std::int64_t {
    Relation const opened = open_queue_table(table, AccessShareLock);
    const std::int64_t pages = RelationGetNumberOfBlocks(opened);
    table_close(opened, AccessShareLock);
    return pages;
  });
}

}  // namespace

std::int64_t stored_bytes(std::uint8_t segment) {
  return pg::call([segment] {
    Relation const jobs = open_queue_table(tables().hot[segment], AccessShareLock);
    std::int64_t pages = RelationGetNumberOfBlocks(jobs);
    if (OidIsValid(jobs->rd_rel->reltoastrelid)) {
      Relation const values = table_open(jobs->rd_rel->reltoastrelid, AccessShareLock);
      pages += RelationGetNumberOfBlocks(values);
      table_close(values, AccessShareLock);
    }
    table_close(jobs, AccessShareLock);
    return pages * BLCKSZ;
  });
}

std::int64_t claim_bytes(std::uint8_t segment) {
  return pages_of(pg::call([segment] { return tables().claim[segment]; })) * BLCKSZ;
}

std::int64_t spent_rows(std::uint8_t segment) {
  const Oid marks = pg::call([segment] { return tables().ended[segment]; });
  return std::max(pages_of(marks) * kMarksOfPage, claim_bytes(segment) / BLCKSZ * kClaimsOfPage);
}

JobNumber last_number(pg::Spi& spi, std::uint8_t segment) {
  const pg::Rows rows =
      spi.query("SELECT coalesce(max(id), 0) AS last FROM metrics_refresh_internal.queue_hot_" +
                std::to_string(segment));
  return rows.get_int64(0, "last");
}

}  // namespace metrics_refresh::store::queue
