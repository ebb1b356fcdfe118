#include "shmem/queue/live_counts.hpp"

#include <algorithm>

#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

TypeCounts copy_of(Content& content, const TypeEntry& entry) noexcept {
  return {entry.type, entry.counts, content.ready().running(entry.type), entry.ends};
}

void publish(Content& content, const SnapshotData& snapshot, FullTransactionId near) noexcept {
  CountSnapshot& to = content.snapshot;
  to.xmin = widened(snapshot.xmin, near);
  to.xmax = widened(snapshot.xmax, near);
  to.count = std::min(snapshot.xcnt, to.running.size());
  for (std::uint32_t i = 0; i < to.count; ++i) to.running[i] = widened(snapshot.xip[i], near);
}

void begin_locked(Content& content) noexcept {
  content.recount_is_active = true;
  content.recounted_segments = {};
  for (std::uint32_t i = 0; i < content.types.size(); ++i) content.types[i].recounted = {};
  for (std::uint32_t i = 0; i < content.batches.size(); ++i) content.batches[i].recounted = 0;
}

void set_open(Content& content, TypeEntry& entry, const Counts& counts) noexcept {
  if (entry.is_known)
    if (const std::uint32_t role = find_owner(content, entry.copy.role); role != kNone)
      content.owners[role].open += counts.in_share() - entry.counts.in_share();
  entry.counts = counts;
}

// Changes that were posted since the snapshot, and the jobs that the scheduler has counted.
void end_types(Content& content, const std::vector<std::pair<TypeId, Counts>>& counted) noexcept {
  for (std::uint32_t i = 0; i < content.types.size(); ++i)
    if (content.types[i].type != 0) set_open(content, content.types[i], content.types[i].recounted);
  for (const auto& [type, counts] : counted)
    if (const std::uint32_t index = find_or_add_type(content, type); index != kNone) {
      TypeEntry& entry = content.types[index];
      Counts sum = entry.counts;
      set_open(content, entry, sum += counts);
    }
}

void end_batches(Content& content, const std::vector<BatchCount>& counted) noexcept {
  content.batches_overflowed = false;
  for (std::uint32_t i = 0; i < content.batches.size(); ++i) {
    content.batches[i].open = content.batches[i].recounted;
    content.batches[i].is_exact = true;
  }
  for (const BatchCount& count : counted) {
    std::uint32_t index = find_batch(content, count.batch);
    if (index == kNone) {
      BatchEntry entry;
      entry.batch = count.batch;
      entry.is_exact = true;
      index = content.batches.insert(entry);
    }
    if (index == kNone)
      content.batches_overflowed = true;
    else
      content.batches[index].open += count.open;
  }
}

}  // namespace

bool are_exact() noexcept {
  return locked(LW_SHARED, [](Content& content) { return content.counts_are_exact; });
}

TypeCounts type_counts(TypeId type) noexcept {
  return locked(LW_SHARED, [type](Content& content) {
    const std::uint32_t index = find_type(content, type);
    return index == kNone ? TypeCounts{} : copy_of(content, content.types[index]);
  });
}

std::vector<TypeCounts> all_type_counts() {
  std::vector<TypeCounts> all(is_current() ? sizes().ready.types : 0);
  const std::uint32_t count = locked(LW_SHARED, [&all](Content& content) {
    std::uint32_t copied = 0;
    for (std::uint32_t i = 0; i < content.types.size(); ++i)
      if (content.types[i].type != 0) all[copied++] = copy_of(content, content.types[i]);
    return copied;
  });
  all.resize(count);
  return all;
}

SegmentCounts segment_counts() noexcept {
  return locked(LW_SHARED, [](Content& content) { return content.segments; });
}

std::optional<std::int64_t> open_jobs_of_batch(std::int64_t batch) noexcept {
  const std::int64_t open = locked(LW_SHARED, [batch](Content& content) -> std::int64_t {
    const std::uint32_t index = find_batch(content, batch);
    if (index == kNone || !content.batches[index].is_exact) return -1;
    return content.batches[index].open;
  });
  if (open < 0) return std::nullopt;
  return open;
}

// The snapshot is taken under the lock, so that each post either came before it, or compares its
// transaction with it. It takes only ProcArrayLock, and no process takes this lock under that one.
// The first call allocates what the second one needs.
Snapshot begin_recount() {
  const FullTransactionId near = ReadNextFullTransactionId();
  (void)GetLatestSnapshot();
  Snapshot snapshot = nullptr;
  locked(LW_EXCLUSIVE, [&](Content& content) {
    snapshot = GetLatestSnapshot();
    publish(content, *snapshot, near);
    begin_locked(content);
  });
  snapshot = RegisterSnapshot(snapshot != nullptr ? snapshot : GetLatestSnapshot());
  PushActiveSnapshot(snapshot);
  return snapshot;
}

bool end_recount(const Recount& recount) noexcept {
  return locked(LW_EXCLUSIVE, [&recount](Content& content) {
    if (!content.recount_is_active) return false;
    for (std::uint8_t segment = 0; segment < kSegments; ++segment)
      content.segments.rows[segment] =
          content.recounted_segments.rows[segment] + recount.segments.rows[segment];
    end_types(content, recount.types);
    end_batches(content, recount.batches);
    content.recount_is_active = false;
    content.counts_are_exact = true;
    return true;
  });
}

}  // namespace metrics_refresh::shmem::queue
