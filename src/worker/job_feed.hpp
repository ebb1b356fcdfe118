// Reads changed jobs, requests and groups from the tables, and turns them into events for the
// scheduler. Backends post in shared memory which jobs have changed. For each job it stores only
// the fields that an assignment needs, and none whose length the owner can choose.
#pragma once

#include "core/scheduler/scheduler.hpp"

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "shmem/databases.hpp"
#include "store/groups.hpp"
#include "store/planned_jobs.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {

class JobFeed {
 public:
  /// `extension` is the OID of the extension. If it changes, the feed must not be used any more.
  explicit JobFeed(Oid extension) : extension_(extension) {}

  /// Adds the changes to `events`. The first call reads everything. If the tables cannot be read
  /// now, the news stays unread until try_again_at(). Returns false if the extension was dropped or
  /// created again.
  bool read(std::vector<core::Event>& events);

  /// True if there is news that could not be read.
  bool has_unread() const noexcept { return unread_; }

  /// When to call read() again without posted changes, or nothing if everything was read.
  std::optional<core::Instant> try_again_at() const;

  /// Makes the next read() include the requests. A worker may have failed to take one.
  void expect_requests() { unread_ = true; }

  /// Makes the next read() include the open runs of groups, because one was planned.
  void expect_groups() { unread_ = unread_groups_ = true; }

  /// True if no run must begin in this database (see is_database_at_rest()), as last read.
  bool is_at_rest() const noexcept { return at_rest_; }

  /// True once after roles were renamed or dropped.
  bool take_role_news() { return std::exchange(roles_, false); }

  /// The job as last read, or null.
  const store::PlannedJob* find(core::JobId id) const;
  std::size_t job_count() const noexcept { return jobs_.size(); }

  /// The pending member of the open run of this group, as last read, or null.
  const store::Member* find_member(core::JobId group, int number) const;

 private:
  void look_at_owners(bool has_news);
  void add_changes(const shmem::Changes& changes);
  void add_canceled(core::RunId run, bool members_too);
  void update_jobs(std::vector<store::JobToPlan> jobs, std::vector<core::Event>& events);
  void update_requests(const std::vector<store::Request>& requests,
                       std::vector<core::Event>& events);
  bool is_time_to_cancel() const;
  void close_canceled_groups();
  void remove_one_time_jobs();
  void update_groups(const std::vector<store::OpenGroup>& groups, std::vector<core::Event>& events);

  Oid extension_;
  std::map<core::JobId, store::PlannedJob> jobs_;
  std::map<core::RunId, core::JobId> requests_;     // as last read
  std::map<core::JobId, store::OpenGroup> groups_;  // open runs, as last read
  bool unread_ = true;
  bool unread_all_ = true;
  bool unread_groups_ = true;
  bool at_rest_ = false;
  bool roles_ = false;
  std::string admin_role_;      // its value when the rights of the owners were read
  bool one_time_jobs_ = false;  // a one-time job has changed
  std::vector<core::JobId> unread_jobs_;
  struct Canceled {
    core::RunId run;
    bool members_too;  // members under way must be canceled as well
    core::Instant again_at = core::Instant::min();
    Backoff backoff{};
  };
  std::vector<Canceled> canceled_groups_;
  core::Instant try_again_at_;
};

/// The OID of the extension in this database, or InvalidOid.
Oid extension_oid();

/// True if no run must begin in this database: it is a template, or does not allow connections.
bool is_database_at_rest();
/// The same. REQUIRES: in a transaction.
bool is_at_rest_now();

}  // namespace metrics_refresh::worker
