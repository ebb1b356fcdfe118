// Changes of jobs by the scheduler, in short transactions. store/queue/news.hpp tells shared memory
// of them at their commits.
#pragma once

#include <vector>

#include "shmem/queue/place.hpp"
#include "store/own_tables.hpp"
#include "store/queue/unended.hpp"

namespace metrics_refresh::queue {

using store::queue::Job;
using store::queue::JobNumber;
using store::queue::TypeId;

using store::queue::Unended;

/// The job, as it can be claimed.
shmem::queue::Jobs claimable(const Unended& job);

/// Holds those of the jobs that have neither a claim nor a hold, and returns their places.
std::vector<store::queue::Place> hold_unclaimed(const Unended* jobs, std::size_t count);

/// A job that waited, or is a callback, was appended to its segment.
void note_ready(const Unended& job);
/// A batch has ended, and the callback of this type is a job from now on.
void note_callback(TypeId type);
/// The job has ended without success. It was open before.
void note_dead(const Unended& job);
void note_canceled(const Unended& job);

/// Runs `body(spi)` in a transaction with the rights of the extension. Returns false after an
/// error, which is in the server log. The commit is flushed before it becomes visible. So if a job
/// that was moved crashes the server, it is found where it was when its worker named it.
template <typename Body>
bool try_change(const char* doing, Body&& body) {
  return store::try_with_own_tables(doing, [&body](pg::Spi& spi) {
    if (shmem::queue::find_queue()) body(spi);
  });
}

}  // namespace metrics_refresh::queue
