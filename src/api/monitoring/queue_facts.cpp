#include "core/health/queue_health.hpp"

#include "api/monitoring/queue_facts.hpp"

#include <algorithm>
#include <map>

#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "shmem/queue/live_counts.hpp"
#include "shmem/queue/status.hpp"
#include "store/queue/job_counts.hpp"
#include "store/queue/job_types.hpp"
#include "store/queue/segments.hpp"
#include "store/queue/stopped.hpp"

namespace metrics_refresh::api {
namespace {

using core::QueueFacts;
using store::queue::JobMode;
using store::queue::JobType;
using store::queue::TypeId;
using Types = std::map<std::int64_t, JobType>;

// Finds what a worker would find when it looks the handler up, as the owner of the type.
bool is_usable(const JobType& type, QueueFacts::Unusable& why) {
  why.type = type.name;
  why.owner = type.owner;
  why.owner_exists = !pg::role_name(type.owner_oid).empty();
  if (!why.owner_exists) return false;
  if (type.mode == JobMode::kExternal) return true;
  if (const auto reason = extension::reason_against_login(type.owner_oid)) {
    why.login_reason = reason->what();
    return false;
  }
  const Oid function = type.find_function();
  const Oid owner = type.owner_oid;
  why.handler = type.handler.signature();
  why.has_handler = OidIsValid(function);
  return why.has_handler && pg::call([=] { return pg::may_execute(function, owner); });
}

// Jobs of a paused type do not run anyway.
void add_unusable(QueueFacts& facts, const Types& types) {
  for (const auto& [id, type] : types) {
    QueueFacts::Unusable why;
    if (!type.paused && !is_usable(type, why)) facts.unusable.push_back(std::move(why));
  }
}

// No check asks for types that have waited for less.
constexpr core::Duration kLeastWait = std::chrono::seconds{30};

// How many jobs of each type are ready, and not claimed.
std::map<TypeId, std::int64_t> count_ready(pg::Spi& spi) {
  std::map<TypeId, std::int64_t> ready;
  for (const store::queue::LaterJobs& later : store::queue::count_later_jobs(spi))
    ready[later.type] = -later.jobs;
  for (const shmem::queue::TypeCounts& type : shmem::queue::all_type_counts())
    ready[type.type] += type.counts.open - std::int64_t{type.processing};
  return ready;
}

// A hint may outlive its job, so that a type without ready jobs seems to wait. Nothing drops the
// hint if no worker comes.
void add_waiting(pg::Spi& spi, QueueFacts& facts, const Types& types) {
  std::map<TypeId, std::int64_t> ready;
  const core::Instant late = pg::now() - kLeastWait;
  for (const shmem::queue::WaitingType& waiting : shmem::queue::waiting_types()) {
    const auto found = types.find(waiting.type);
    const core::Instant since = pg::to_instant(waiting.since);
    if (found == types.end() || since > late) continue;
    if (ready.empty()) ready = count_ready(spi);
    if (shmem::queue::are_exact() && ready[waiting.type] <= 0) continue;
    facts.waiting.push_back({found->second.name, waiting.is_outside, since});
  }
}

void add_crashed(pg::Spi& spi, QueueFacts& facts, const Types& types) {
  for (const store::queue::DeadByCrash& dead : store::queue::dead_by_crash(spi))
    if (const auto found = types.find(dead.type); found != types.end())
      facts.crashed.push_back({found->second.name, dead.jobs, dead.first});
}

void add_segments(pg::Spi& spi, QueueFacts& facts) {
  using store::queue::Segment;
  std::optional<Segment> oldest;
  facts.has_free_segment = false;
  for (const Segment& segment : store::queue::read_segments(spi)) {
    if (segment.state == Segment::State::kFree) facts.has_free_segment = true;
    if (segment.state != Segment::State::kSealed) continue;
    if (!oldest || segment.sealed_at < oldest->sealed_at) oldest = segment;
  }
  if (facts.has_free_segment || !oldest) return;
  if (const auto blocking = store::queue::blocking_session(spi, oldest->number)) {
    facts.blocker = QueueFacts::Blocker{};
    facts.blocker->pid = blocking->pid;
    if (blocking->since) facts.blocker->since = pg::to_instant(*blocking->since);
  }
}

// Jobs of a group share a transaction.
void add_transactions(pg::Spi& spi, QueueFacts& facts, const Types& types) {
  for (const shmem::queue::TypeCounts& counts : shmem::queue::all_type_counts()) {
    const auto found = types.find(counts.type);
    if (found != types.end() && found->second.mode == JobMode::kGrouped) continue;
    facts.transactions += counts.ends.completed + counts.ends.failed;
  }
  facts.transactions_left =
      spi.query(
             "SELECT 2147483647::int8 - max(pg_catalog.age(datfrozenxid)) AS left"
             " FROM pg_catalog.pg_database")
          .get_int64(0, "left");
}

}  // namespace

core::QueueFacts queue_facts(pg::Spi& spi, bool super_admin) {
  QueueFacts facts;
  Types types;
  const std::vector<std::int64_t> visible = store::queue::visible_types(spi);
  extension::as_extension_without_lock([&](pg::Spi& own) {
    for (JobType& type : store::queue::load_job_types(own))
      if (std::binary_search(visible.begin(), visible.end(), type.id))
        types[type.id] = std::move(type);
    add_crashed(own, facts, types);
    if (super_admin) add_segments(own, facts);
  });
  add_unusable(facts, types);
  if (!shmem::queue::find_queue()) return facts;
  extension::as_extension_without_lock([&](pg::Spi& own) { add_waiting(own, facts, types); });
  const std::optional<shmem::queue::QueueStatus> status = shmem::queue::queue_status();
  if (!status) return facts;
  facts.is_open = status->state == shmem::queue::State::kOpen;
  facts.workers = static_cast<int>(status->workers);
  if (!super_admin) return facts;
  facts.double_ends = shmem::queue::double_ends();
  facts.counted_since = pg::to_instant(status->made_at);
  add_transactions(spi, facts, types);
  return facts;
}

}  // namespace metrics_refresh::api
