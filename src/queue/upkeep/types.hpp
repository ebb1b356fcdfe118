// Keeps the copy of the job types in shared memory, which claims need, like the table job_type.
#pragma once

#include <map>
#include <utility>

#include "queue/upkeep/due.hpp"
#include "store/queue/job_types.hpp"

namespace metrics_refresh::queue {

using store::queue::JobType;

class Types {
 public:
  /// Shared memory knows no type.
  void begin() { has_read_ = false, due_.at_once(); }
  /// Requests a read: a type has changed.
  void expect() { due_.at_once(); }

  /// Reads the types if it is time. Returns true if it has read them.
  bool work(core::Instant now);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

  /// True once after a type was gone of which there are jobs that have not ended.
  bool take_orphans() { return std::exchange(has_orphans_, false); }
  /// As last read. Null if there is none.
  const JobType* find(int id) const;
  bool has_read() const noexcept { return has_read_; }
  bool empty() const noexcept { return types_.empty(); }
  /// Whether a worker of the server is needed for a type.
  bool has_handlers() const noexcept { return has_handlers_; }
  const std::map<int, JobType>& all() const noexcept { return types_; }

 private:
  /// `changes`: type_changes() from before they were read.
  void publish(std::map<int, JobType> types, std::uint64_t changes);

  std::map<int, JobType> types_;
  bool has_read_ = false;
  bool has_handlers_ = false;
  bool has_orphans_ = false;
  std::size_t without_room_ = 0;  // types that shared memory does not know
  Due due_;
};

}  // namespace metrics_refresh::queue
