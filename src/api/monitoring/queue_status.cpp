// queue_status(): the job queue of this database as a whole. The numbers tell of all roles, so
// only super admins see them.
#include "api/arguments.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/time.hpp"
#include "shmem/queue/live_counts.hpp"
#include "shmem/queue/status.hpp"
#include "store/queue/segments.hpp"
#include "store/queue/sizes.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;
using shmem::queue::QueueStatus;
using shmem::queue::State;

const char* to_string(const std::optional<QueueStatus>& status) {
  // No job was added since the start of the server, or this is a standby.
  if (!status) return "unused";
  switch (status->state) {
    case State::kNew:
      return "new";
    case State::kRecovering:
      return "recovering";
    case State::kOpen:
      return "open";
  }
  return "unused";
}

Param number(std::int64_t value) {
  return Param(INT4OID, Int32GetDatum(static_cast<std::int32_t>(value)));
}

struct Jobs {
  std::int64_t open = 0, processing = 0, dead = 0, stored = 0;
};

// The numbers are read one after the other, so a difference may be below zero for a moment.
Jobs count_jobs() {
  Jobs jobs;
  for (const shmem::queue::TypeCounts& type : shmem::queue::all_type_counts()) {
    jobs.open += type.counts.open;
    jobs.dead += type.counts.dead;
    jobs.processing += type.processing;
  }
  for (const std::int64_t rows : shmem::queue::segment_counts().rows) jobs.stored += rows;
  return jobs;
}

struct Storage {
  std::int64_t segments = 0, bytes = 0;
};

Storage storage() {
  Storage result;
  pg::in_discarded_subtransaction([&result] {
    extension::as_extension_without_lock([&result](pg::Spi& spi) {
      for (const store::queue::Segment& segment : store::queue::read_segments(spi)) {
        if (segment.state != store::queue::Segment::State::kFree) ++result.segments;
        result.bytes += store::queue::stored_bytes(segment.number);
      }
    });
  });
  return result;
}

void add_numbers(std::vector<Param>& row, const std::optional<QueueStatus>& status) {
  if (!status) {
    row.push_back(Param::null(BOOLOID));
    for (int i = 0; i < 4; ++i) row.push_back(Param::null(INT8OID));
    row.push_back(Param::null(TIMESTAMPTZOID));
    for (int i = 0; i < 8; ++i) row.push_back(Param::null(INT4OID));
    return;
  }
  const auto least = [](std::int64_t value) { return Param(std::max<std::int64_t>(value, 0)); };
  const Jobs jobs = count_jobs();
  const Param since = status->oldest_turn == 0
                          ? Param::null(TIMESTAMPTZOID)
                          : Param(TIMESTAMPTZOID, TimestampTzGetDatum(status->oldest_turn));
  row.insert(row.end(),
             {Param(status->counts_are_exact), least(jobs.stored - jobs.processing),
              least(jobs.processing), least(jobs.open - jobs.stored), least(jobs.dead), since,
              number(status->workers), number(status->outside),
              number(std::int64_t{status->spans} - status->spans_free), number(status->spans),
              number(std::int64_t{status->lanes} - status->lanes_free), number(status->lanes),
              number(std::int64_t{status->types} - status->types_free), number(status->types)});
}

Datum queue_status(FunctionCallInfo call) {
  SetResult result(call);
  if (!extension::is_super_admin()) return Datum{0};
  const std::optional<QueueStatus> status =
      shmem::queue::find_queue() ? shmem::queue::queue_status() : std::optional<QueueStatus>();
  const Storage stored = storage();
  const shmem::queue::Places places = shmem::queue::places();
  std::vector<Param> row = {Param(to_string(status))};
  add_numbers(row, status);
  row.insert(row.end(), {number(stored.segments), number(shmem::queue::kSegments),
                         Param(stored.bytes), number(places.used), number(places.most)});
  result.add(row);
  return Datum{0};
}

}  // namespace

MR_SQL_FUNCTION(mr_queue_status, queue_status);

}  // namespace metrics_refresh::api
