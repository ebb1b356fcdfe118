#include "shmem/skipped_jobs.hpp"

#include "pg/compat.hpp"
#include "shmem/area.hpp"

namespace metrics_refresh::shmem {
namespace {

// The limit for the cluster. The hash table has a fixed size, because shared memory is sized when
// the server starts.
constexpr long kMaxJobs = 8192;

struct Key {
  Oid database;
  std::int64_t job_id;
};
struct Entry {
  Key key;
  SkippedTimes times;
};

HTAB* entries = nullptr;

// Removes the entry with the oldest skip. Most likely its job does not exist any more.
void drop_oldest_locked() {
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, entries);
  const Entry* oldest = nullptr;
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan)))
    if (oldest == nullptr || entry->times.fresh_at < oldest->times.fresh_at) oldest = entry;
  if (oldest != nullptr) (void)hash_search(entries, &oldest->key, HASH_REMOVE, nullptr);
}

Key key_of(std::int64_t job_id) {
  Key key;
  memset(&key, 0, sizeof key);  // the padding is hashed too
  key.database = MyDatabaseId;
  key.job_id = job_id;
  return key;
}

}  // namespace

Size skipped_jobs_size() { return hash_estimate_size(kMaxJobs, sizeof(Entry)); }

void init_skipped_jobs() {
  HASHCTL control;
  memset(&control, 0, sizeof control);
  control.keysize = sizeof(Key);
  control.entrysize = sizeof(Entry);
  entries = pg::init_shared_hash("metrics_refresh skipped jobs", kMaxJobs, &control,
                                 HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
}

bool count_skipped_job(std::int64_t job_id, TimestampTz fresh_at, TimestampTz handled_until) {
  return locked(LW_EXCLUSIVE, [=] {
    const Key key = key_of(job_id);
    if (hash_get_num_entries(entries) >= kMaxJobs &&
        hash_search(entries, &key, HASH_FIND, nullptr) == nullptr)
      drop_oldest_locked();
    bool found;
    auto* const entry = static_cast<Entry*>(hash_search(entries, &key, HASH_ENTER_NULL, &found));
    if (entry == nullptr) return false;
    if (!found) entry->times = {};
    ++entry->times.skipped;
    entry->times.fresh_at = fresh_at;
    entry->times.handled_until = handled_until;
    return true;
  });
}

void forget_skipped_jobs_locked(Oid database) noexcept {
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, entries);
  // dynahash allows a scan to remove the entry that it has just returned.
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan)))
    if (entry->key.database == database)
      (void)hash_search(entries, &entry->key, HASH_REMOVE, nullptr);
}

std::vector<SkippedJob> skipped_jobs() {
  std::vector<SkippedJob> jobs;
  if (entries == nullptr) return jobs;
  jobs.resize(static_cast<std::size_t>(hash_get_num_entries(entries)));
  // The vector cannot grow under the lock. Entries added since its size was read are left out.
  const auto room = jobs.size();
  SkippedJob* const out = jobs.data();
  const std::size_t count = locked(LW_SHARED, [=] {
    std::size_t found = 0;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, entries);
    while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan)))
      if (entry->key.database == MyDatabaseId && found < room)
        out[found++] = {entry->key.job_id, entry->times};
    return found;
  });
  jobs.resize(count);
  return jobs;
}

}  // namespace metrics_refresh::shmem
