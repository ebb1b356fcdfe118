// Counts the share of a role in the tables job, job_type and run_request.
//
// The count uses a dirty snapshot, which also sees rows that are not committed. Otherwise a role
// could exceed its share with several open transactions. A count scans all rows of the role, so its
// result is cached in this process. Two counters in shared memory tell how much all sessions have
// written since then, which gives an upper bound.
#include "store/shares.hpp"

#include "shmem/shmem.hpp"

namespace metrics_refresh::store {
namespace {

// Bytes of one text in the log.
constexpr std::size_t kMaxLogged = 8192;

std::int64_t size_of(HeapTuple tuple, TupleDesc description) {
  std::int64_t size = 0;
  for (int number = 1; number <= description->natts; ++number) {
    const Form_pg_attribute attribute = TupleDescAttr(description, number - 1);
    bool is_null = false;
    const Datum value = heap_getattr(tuple, number, description, &is_null);
    if (is_null) continue;
    // The size before compression: a share must not depend on how well a text compresses.
    size += attribute->attlen == -1 ? static_cast<std::int64_t>(toast_raw_datum_size(value))
                                    : attribute->attlen;
  }
  return size;
}

// The rows of `table` that have `role` in `column`, found by the index. Uncommitted inserts and
// deletes of other sessions count as well.
Share count_rows(const char* table, const char* index, const char* column, Oid role) {
  return pg::call([=] {
    Share share = {};
    const Oid schema = get_namespace_oid("metrics_refresh_internal", false);
    const Oid table_oid = get_relname_relid(table, schema);
    const Oid index_oid = get_relname_relid(index, schema);
    if (!OidIsValid(table_oid) || !OidIsValid(index_oid))
      ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
              errmsg("a table of metrics_refresh is missing"));
    const Relation relation = table_open(table_oid, AccessShareLock);
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    ScanKeyData key;
    ScanKeyInit(&key, get_attnum(table_oid, column), BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(role));
    const SysScanDesc scan = systable_beginscan(relation, index_oid, true, &dirty, 1, &key);
    for (;;) {
      const HeapTuple tuple = systable_getnext(scan);
      if (!HeapTupleIsValid(tuple)) break;
      ++share.jobs;
      share.bytes += size_of(tuple, RelationGetDescr(relation));
    }
    systable_endscan(scan);
    table_close(relation, NoLock);
    return share;
  });
}

// The last count of this process, and the shared counters at that time. Writes of other sessions
// cannot reduce the bound. An abort of this session's own transaction can restore rows that it had
// deleted, and then the cached count is not valid any more.
struct Counted {
  Oid owner;
  Share share;
  Share written;
};
Counted cached_count = {};

Share written() {
  const shmem::WrittenJobs jobs = shmem::written_jobs();
  Share now;
  now.jobs = jobs.rows;
  now.bytes = jobs.bytes;
  return now;
}

}  // namespace

Share share_of_jobs(Oid owner) {
  Counted now = {};
  // Read before the rows are counted: a row that is written in between then counts twice, and never
  // not at all.
  now.written = written();
  now.share = count_rows("job", "job_owner", "owner_oid", owner);
  const Share types = count_rows("job_type", "job_type_owner", "owner_oid", owner);
  now.share.jobs += types.jobs;
  now.share.bytes += types.bytes;
  now.owner = shmem::is_preloaded() ? owner : InvalidOid;
  cached_count = now;
  return now.share;
}

std::int64_t count_types(Oid owner) {
  return count_rows("job_type", "job_type_owner", "owner_oid", owner).jobs;
}

Share upper_bound_of_share(Oid owner) {
  if (!shmem::is_preloaded() || !OidIsValid(owner) || cached_count.owner != owner)
    return share_of_jobs(owner);
  const Share now = written();
  return {cached_count.share.jobs + (now.jobs - cached_count.written.jobs),
          cached_count.share.bytes + (now.bytes - cached_count.written.bytes)};
}

// The counters only grow. They count writes of all roles, which makes the bound less tight but
// needs no table of roles in shared memory.
void count_written_row(HeapTuple row, TupleDesc description) {
  if (!shmem::is_preloaded()) return;
  const std::int64_t size = pg::call([=] { return size_of(row, description); });
  shmem::count_written_job(size);
}

void invalidate_count() noexcept { cached_count.owner = InvalidOid; }

std::int64_t count_requests(Oid role) {
  return count_rows("run_request", "run_request_role", "requested_by_oid", role).jobs;
}

// Cut at a character boundary: half a character would be an invalid text in the database's
// encoding.
std::string cut_for_log(const std::string& text) {
  if (text.size() <= kMaxLogged) return text;
  const char* bytes = text.data();
  const int length = static_cast<int>(text.size());
  const int cut_length = pg::call([=] { return pg_mbcliplen(bytes, length, kMaxLogged); });
  return text.substr(0, static_cast<std::size_t>(cut_length)) + " ... (cut; it had " +
         std::to_string(text.size()) + " bytes)";
}

}  // namespace metrics_refresh::store
