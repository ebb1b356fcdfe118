// Jobs that wait for the end of other jobs: queue_dependency, and queue_later.waits, which counts
// the rows of a waiter.
//
// All functions REQUIRE: inside extension::as_extension(), whose Spi they get.
#pragma once

#include <vector>

#include "pg/spi.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// Adds the rows of waiters, each for all predecessors, which have no number twice.
void add_dependencies(pg::Spi& spi, const std::vector<std::int64_t>& waiters,
                      const std::vector<std::int64_t>& predecessors);

/// Different predecessors that are waited for, by ascending number after `after`.
std::vector<std::int64_t> read_predecessors(pg::Spi& spi, JobNumber after, std::size_t most);
/// Those of these numbers that are waited for.
std::vector<std::int64_t> awaited_of(pg::Spi& spi, const std::vector<std::int64_t>& numbers);

/// Locks the waiters of these jobs without waiting. Returns the busy ones, which another open
/// transaction changes.
std::vector<std::int64_t> lock_waiters(pg::Spi& spi, const std::vector<std::int64_t>& predecessors);

/// The predecessors have completed: removes their rows, except those of busy waiters, and counts
/// the waiters down. Returns the waiters that wait for nothing any more; their run_at may be later.
/// REQUIRES: lock_waiters() in this transaction.
std::vector<std::int64_t> end_predecessors(pg::Spi& spi,
                                           const std::vector<std::int64_t>& predecessors,
                                           const std::vector<std::int64_t>& busy);

/// Waiters of predecessors that are dead or canceled, so that they are canceled in turn.
std::vector<std::int64_t> waiters_of(pg::Spi& spi, const std::vector<std::int64_t>& predecessors,
                                     const std::vector<std::int64_t>& busy);
/// Removes the rows of a waiter that is taken out of queue_later.
void remove_waiter(pg::Spi& spi, JobNumber waiter);

}  // namespace metrics_refresh::store::queue
