#include "queue/upkeep/types.hpp"

#include "extension/settings.hpp"
#include "shmem/queue/live_counts.hpp"
#include "shmem/queue/types.hpp"
#include "store/own_tables.hpp"

namespace metrics_refresh::queue {
namespace {

// The most jobs that a worker claims at once. Shared memory gives fewer if they are not short.
constexpr std::uint32_t kBite = 32;
constexpr core::Duration kBiteTime = std::chrono::milliseconds{1};

// With a limit of jobs at a time, a job that waits in a bite would keep another worker from
// starting one.
std::uint32_t bite_of(const JobType& type) {
  if (type.mode == store::queue::JobMode::kGrouped) return shmem::queue::kMostInGroup;
  if (type.mode == store::queue::JobMode::kExternal) return core::queue::kMostInBite;
  return type.concurrency > 0 || type.concurrency_per_key > 0 || type.rate_limit > 0 ? 1 : kBite;
}

shmem::queue::TypeCopy copy_of(const JobType& type) {
  shmem::queue::TypeCopy copy;
  copy.role = type.owner_oid;
  copy.timeout = type.timeout;
  copy.is_grouped = type.mode == store::queue::JobMode::kGrouped;
  core::queue::TypeSettings& claims = copy.settings;
  claims.owner = type.mode == store::queue::JobMode::kExternal
                     ? shmem::queue::outside_owner(type.id)
                     : core::queue::OwnerId{type.owner_oid};
  claims.concurrency = static_cast<std::uint32_t>(type.concurrency);
  claims.concurrency_per_key = static_cast<std::uint32_t>(type.concurrency_per_key);
  claims.rate_limit = static_cast<std::uint32_t>(type.rate_limit);
  claims.rate_period = std::max(type.rate_period, core::Duration{1});
  claims.bite = bite_of(type);
  claims.bite_time = copy.is_grouped ? settings::queue_group_time() : kBiteTime;
  claims.paused = type.paused || !OidIsValid(type.owner_oid);
  return copy;
}

void report_full(std::size_t types) {
  pg::call([types] {
    ereport(LOG, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
            errmsg("metrics_refresh: shared memory has no room for %zu job types", types),
            errdetail("Their jobs do not start."),
            errhint("Raise metrics_refresh.queue_memory and restart the server."));
  });
}

}  // namespace

bool Types::work(core::Instant now) {
  if (!due_.take(now)) return false;
  std::map<int, JobType> types;
  const std::uint64_t changes = shmem::queue::type_changes();
  const bool read =
      store::try_with_own_tables("job types cannot be read now", [&types](pg::Spi& spi) {
        for (JobType& type : store::queue::load_job_types(spi)) {
          const int id = type.id;
          types.emplace(id, std::move(type));
        }
      });
  if (!read) {
    due_.no_later_than(now + store::kTryAgain);
    return false;
  }
  publish(std::move(types), changes);
  return true;
}

// Shared memory may know types that this process has never read: of another scheduler, or of jobs
// that were posted.
void Types::publish(std::map<int, JobType> types, std::uint64_t changes) {
  for (const shmem::queue::TypeCounts& known : shmem::queue::all_type_counts()) {
    if (types.count(known.type) != 0) continue;
    has_orphans_ = has_orphans_ || known.counts.open > 0;
    shmem::queue::forget_type(known.type);
  }
  has_handlers_ = false;
  std::size_t without_room = 0;
  for (const auto& [id, type] : types) {
    has_handlers_ = has_handlers_ || type.mode != store::queue::JobMode::kExternal;
    if (!shmem::queue::set_type(id, copy_of(type), changes)) ++without_room;
  }
  if (without_room > without_room_) report_full(without_room);
  without_room_ = without_room;
  types_ = std::move(types);
  has_read_ = true;
}

const JobType* Types::find(int id) const {
  const auto found = types_.find(id);
  return found == types_.end() ? nullptr : &found->second;
}

}  // namespace metrics_refresh::queue
