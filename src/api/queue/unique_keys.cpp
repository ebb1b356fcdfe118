// How a duplicate is found: lock the keys, take a new snapshot, and look into all tables of jobs.
// The snapshot is newer than the commit of each session that had a lock before, also in a
// transaction whose own snapshot is older.
//
// A transaction that locks many keys locks all keys of the type instead: the server has room for a
// few thousand locks.
#include "api/queue/unique_keys.hpp"

#include <algorithm>
#include <unordered_map>

#include "api/queue/job_access.hpp"
#include "api/queue/job_in_use.hpp"
#include "extension/own_schema.hpp"
#include "shmem/queue/status.hpp"
#include "store/queue/locks.hpp"
#include "store/queue/news.hpp"
#include "store/queue/steady_look.hpp"

namespace metrics_refresh::api {
namespace {

using store::queue::UniqueState;

struct StateName {
  UniqueState state;
  const char* name;
};
constexpr StateName kStates[] = {
    {store::queue::kPending, "pending"}, {store::queue::kProcessing, "processing"},
    {store::queue::kFailed, "failed"},   {store::queue::kCompleted, "completed"},
    {store::queue::kDead, "dead"},       {store::queue::kCanceled, "canceled"},
};

constexpr std::size_t kMostKeyLocks = 256;

// Counts the keys that this transaction has locked. A rollback of a part of it only makes the count
// too high.
std::size_t count_key_locks(std::size_t more) {
  static FullTransactionId transaction = InvalidFullTransactionId;
  static std::size_t count = 0;
  const FullTransactionId now = pg::call([] { return GetTopFullTransactionId(); });
  if (!FullTransactionIdEquals(now, transaction)) count = 0;
  transaction = now;
  return count += more;
}

// In the order of their hashes, so that two sessions do not wait for each other.
void lock_keys(int type, std::vector<std::int64_t> hashes) {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  const bool locks_all = count_key_locks(hashes.size()) > kMostKeyLocks;
  store::queue::lock_keys_of_type(type, locks_all);
  if (locks_all) return;
  for (const std::int64_t hash : hashes) store::queue::lock_unique_key(hash);
}

// The first job with each key of this call.
class KeysOfCall {
 public:
  NewJob* find_or_add(std::int64_t hash, NewJob& job) {
    const auto range = first_.equal_range(hash);
    for (auto i = range.first; i != range.second; ++i)
      if (is_same_key(*i->second, job)) return i->second;
    first_.emplace(hash, &job);
    return nullptr;
  }

 private:
  static bool is_same_key(const NewJob& a, const NewJob& b) {
    const std::size_t size = VARSIZE_ANY_EXHDR(a.unique_key);
    return size == VARSIZE_ANY_EXHDR(b.unique_key) &&
           memcmp(VARDATA_ANY(a.unique_key), VARDATA_ANY(b.unique_key), size) == 0;
  }
  std::unordered_multimap<std::int64_t, NewJob*> first_;
};

// The jobs with keys are in `jobs`. `first` has the earlier job of this call with the same key.
struct Search {
  const NewJobOptions& options;
  std::vector<NewJob*> jobs;
  std::vector<std::int64_t> hashes;
  std::vector<NewJob*> first;
};

// A job that waits is meant, but not a running one. So it must not start before this transaction
// commits: it would not see what the transaction has written.
bool holds_duplicates(const NewJobOptions& options) {
  return (options.unique_states & (store::queue::kPending | store::queue::kFailed)) != 0 &&
         (options.unique_states & store::queue::kProcessing) == 0;
}

// Returns false if the job has started or ended meanwhile. Nothing: another session is changing it,
// or the scheduler for a moment. If it lets the job go before this transaction ends, the job must
// not start.
std::optional<bool> try_to_hold(pg::Spi& spi, store::queue::JobNumber id) {
  using Result = shmem::queue::HoldResult::Result;
  if (store::queue::holds(id)) return true;
  const Result result = store::queue::hold_job(id, GetOuterUserId()).result;
  if (result == Result::kRunning || result == Result::kOutside) return false;
  if (result == Result::kNoShare) refuse_share_of_holds();
  if (result == Result::kNoRoom) refuse_full_holds();
  if (result == Result::kInUse) return std::nullopt;
  store::queue::forbid_prepare("found a background job with the same unique key");
  bool is_waiting = false;
  store::queue::look_steadily([&](Snapshot snapshot) {
    const auto found = store::queue::find_job(spi, id, snapshot, false);
    is_waiting =
        found.where == store::queue::Where::kHot || found.where == store::queue::Where::kLater;
    if (found.where == store::queue::Where::kHot) store::queue::set_held_job(found.job);
  });
  if (is_waiting) store::queue::keep_held_job_ready(id);
  return is_waiting;
}

// Looks again with new snapshots as long as the job that was found does not wait any more.
std::optional<store::queue::UniqueJob> find_duplicate(pg::Spi& spi, const NewJobOptions& options,
                                                      const NewJob& job) {
  for (;;) {
    std::optional<store::queue::UniqueJob> found;
    // A job that was added with unique_for may count although this call names no period.
    store::queue::look_steadily([&](Snapshot snapshot) {
      found = store::queue::find_unique(
          spi, options.type.id, store::queue::unique_hash(options.type.id, job.unique_key),
          job.unique_key, options.unique_states, true, options.now, snapshot);
    });
    const std::uint16_t waiting = store::queue::kPending | store::queue::kFailed;
    if (!found || !holds_duplicates(options) || (found->state & waiting) == 0 ||
        until_free(found->id, [&] { return try_to_hold(spi, found->id); }))
      return found;
  }
}

void look(pg::Spi& spi, const Search& search) {
  for (std::size_t i = 0; i < search.jobs.size(); ++i) {
    NewJob& job = *search.jobs[i];
    if (search.first[i] != nullptr) continue;
    const auto found = find_duplicate(spi, search.options, job);
    if (!found) continue;
    job.is_duplicate = true;
    job.id = found->id;
    job.state = found->state;
  }
}

}  // namespace

void find_duplicates(const NewJobOptions& options, NewJob* jobs, std::size_t count) {
  Search search{options, {}, {}, {}};
  KeysOfCall keys;
  for (std::size_t i = 0; i < count; ++i) {
    if (jobs[i].unique_key == nullptr) continue;
    search.jobs.push_back(&jobs[i]);
    search.hashes.push_back(store::queue::unique_hash(options.type.id, jobs[i].unique_key));
    search.first.push_back(keys.find_or_add(search.hashes.back(), jobs[i]));
  }
  lock_keys(options.type.id, search.hashes);
  extension::as_extension([&search](pg::Spi& spi) { look(spi, search); });
  // The number of the first one is not known yet if it is new.
  const bool pending_counts =
      (options.unique_states & store::queue::kPending) != 0 || options.unique_until;
  for (std::size_t i = 0; i < search.jobs.size(); ++i)
    if (search.first[i] != nullptr && (search.first[i]->is_duplicate || pending_counts)) {
      search.jobs[i]->is_duplicate = true;
      search.jobs[i]->first = search.first[i];
      search.jobs[i]->state = store::queue::kPending;
    }
}

std::uint16_t read_unique_states(Datum text_array) {
  std::uint16_t states = 0;
  for (const std::string& word : pg::texts_of(text_array, "unique_states")) {
    const auto* const found =
        std::find_if(std::begin(kStates), std::end(kStates),
                     [&word](const StateName& state) { return word == state.name; });
    if (found == std::end(kStates))
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                         "unique_states has the unknown state \"" + word + "\"",
                         "Allowed are pending, processing, failed, completed, dead and canceled.");
    states = static_cast<std::uint16_t>(states | found->state);
  }
  return states;
}

const char* unique_state_name(const NewJob& job) {
  if ((job.state & store::queue::kUnendedStates) != 0 && shmem::queue::is_processing(job.id))
    return "processing";
  for (const StateName& state : kStates)
    if (state.state == job.state) return state.name;
  return "";
}

}  // namespace metrics_refresh::api
