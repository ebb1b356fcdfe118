// The rows that the end of a job consists of. They are written in the open transaction.
#pragma once

#include <optional>
#include <string>

#include "queue/handled_types.hpp"
#include "shmem/queue/work.hpp"
#include "store/queue/job.hpp"
#include "store/runs.hpp"

namespace metrics_refresh::queue {

/// The parts of an end that follow from the row, and from the duration of the handler.
void fill_end(const store::queue::Job& job, core::Duration took, shmem::queue::End& end);

/// The job starts again after this delay; the attempt does not count.
void write_snooze(store::queue::Job job, core::Duration delay);

/// The attempt has failed: the job starts again after its backoff, or is dead. Sets the outcome.
void write_failure(const store::queue::Job& job, const shmem::queue::Started& started,
                   const HandledType& type, const store::RunError& error, shmem::queue::End& end);

/// The job was canceled while it ran. Sets the outcome.
void write_cancel(store::queue::Job job, const shmem::queue::Started& started,
                  shmem::queue::End& end);

}  // namespace metrics_refresh::queue
