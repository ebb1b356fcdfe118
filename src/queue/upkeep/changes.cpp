#include "queue/upkeep/changes.hpp"

#include "store/queue/news.hpp"

namespace metrics_refresh::queue {
namespace {

void note_stopped(const Unended& job, shmem::queue::Counts counts, const shmem::queue::Ends& ends) {
  counts.open = -1;
  counts.failed = (job.flags & store::queue::kHasFailed) != 0 ? -1 : 0;
  store::queue::note_counts(job.type, counts, ends);
  store::queue::note_ended(job.place.id, job.batch.value_or(0));
}

}  // namespace

shmem::queue::Jobs claimable(const Unended& job) {
  return {job.type,     job.key,      job.priority, job.place.segment,
          job.place.id, job.place.id, job.place.tid};
}

std::vector<store::queue::Place> hold_unclaimed(const Unended* jobs, std::size_t count) {
  std::vector<store::queue::Place> places;
  for (std::size_t i = 0; i < count; ++i) {
    const JobNumber job = jobs[i].place.id;
    if (store::queue::hold_job(job, InvalidOid).result != shmem::queue::HoldResult::Result::kHeld)
      continue;
    store::queue::set_held_job(claimable(jobs[i]));
    places.push_back(jobs[i].place);
  }
  return places;
}

void note_ready(const Unended& job) { store::queue::note_ready(claimable(job), 1); }

void note_callback(TypeId type) {
  shmem::queue::Counts counts;
  counts.open = 1;
  counts.batches = -1;
  store::queue::note_counts(type, counts);
}

void note_dead(const Unended& job) {
  shmem::queue::Counts counts;
  shmem::queue::Ends ends;
  counts.dead = ends.dead = 1;
  note_stopped(job, counts, ends);
}

void note_canceled(const Unended& job) {
  shmem::queue::Counts counts;
  shmem::queue::Ends ends;
  counts.canceled = ends.canceled = 1;
  note_stopped(job, counts, ends);
}

}  // namespace metrics_refresh::queue
