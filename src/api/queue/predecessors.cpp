#include "api/queue/predecessors.hpp"

#include <algorithm>

#include "api/queue/job_access.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/array.hpp"
#include "store/queue/batch_use.hpp"
#include "store/queue/batches.hpp"
#include "store/queue/steady_look.hpp"

namespace metrics_refresh::api {
namespace {

constexpr std::size_t kMostPredecessors = 1000;

std::vector<std::int64_t> distinct_numbers(Datum array) {
  std::vector<std::int64_t> numbers = pg::numbers_of(array, "after");
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (numbers.size() > kMostPredecessors)
    throw pg::SqlError(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "after has too many jobs",
                       "Add them to a batch, whose callback starts when all have ended.",
                       "It has " + std::to_string(numbers.size()) + " jobs; at most " +
                           std::to_string(kMostPredecessors) + " are allowed.");
  return numbers;
}

}  // namespace

std::vector<std::int64_t> open_predecessors(Datum bigint_array) {
  const std::vector<std::int64_t> numbers = distinct_numbers(bigint_array);
  std::vector<std::int64_t> open;
  if (numbers.empty()) return open;
  const Oid caller = GetUserId();
  const bool is_super_admin = extension::is_super_admin();
  extension::as_extension([&](pg::Spi& spi) {
    const std::int64_t limit = store::queue::number_limit(spi);
    JobRights rights(spi, caller, is_super_admin);
    store::queue::look_steadily([&](Snapshot snapshot) {
      open.clear();
      for (const std::int64_t id : numbers) {
        if (id <= 0 || id >= limit) refuse_missing_job_number(id);
        auto found = store::queue::find_job(spi, id, snapshot, false);
        if (found.where == store::queue::Where::kNowhere) {
          // The number of a batch is that of its callback, which is not added yet. A completed job
          // may have left the history. A dead one is for the scheduler to judge.
          const auto callback = store::queue::future_callback(spi, id, snapshot);
          if (!callback) continue;
          found.job = *callback;
        }
        if (!rights.may_see(found.job)) refuse_missing_job_number(id);
        open.push_back(id);
      }
    });
  });
  return open;
}

}  // namespace metrics_refresh::api
