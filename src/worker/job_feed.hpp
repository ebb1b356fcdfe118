// The scheduler's news of jobs: what backends posted in shared memory, read from the tables and
// turned into events. Of each job it keeps what a run is handed over with, and nothing that the
// job's owner can make long.
#pragma once

#include "core/scheduler/scheduler.hpp"

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "shmem/databases.hpp"
#include "store/groups.hpp"
#include "store/planned_jobs.hpp"
#include "worker/backoff.hpp"

namespace metrics_refresh::worker {

class JobFeed {
 public:
  /// `extension` is the extension's oid: another one, or none, ends what this feed is for.
  explicit JobFeed(Oid extension) : extension_(extension) {}

  /// Adds to `events` what changed; the first call reads everything. Where the tables cannot be
  /// read now, the news stays unread until try_again_at(). Returns false where the extension is
  /// gone.
  bool read(std::vector<core::Event>& events);

  /// True where there is news that could not be read.
  bool has_unread() const noexcept { return unread_; }

  /// When to call read() again although nobody posts anything; nothing where all is read.
  std::optional<core::Instant> try_again_at() const;

  /// Has the requests read again: one that a worker did not take may still be there.
  void expect_requests() { unread_ = true; }

  /// Has the open runs of groups read again: one has just been planned.
  void expect_groups() { unread_ = unread_groups_ = true; }

  /// True where the database has become one in which nothing is to begin, as last read.
  bool is_at_rest() const noexcept { return at_rest_; }

  /// True once after roles were renamed or dropped.
  bool take_role_news() { return std::exchange(roles_, false); }

  /// Of the job as last read, or null.
  const store::PlannedJob* find(core::JobId id) const;
  std::size_t job_count() const noexcept { return jobs_.size(); }

  /// The member of the open run of this group as last read, or null.
  const store::Member* find_member(core::JobId group, int number) const;

 private:
  void look_at_owners(bool has_news);
  void note_changes(const shmem::Changes& changes);
  void note_canceled(core::RunId run, bool members_too);
  void note_jobs(std::vector<store::JobToPlan> jobs, std::vector<core::Event>& events);
  void note_requests(const std::vector<store::Request>& requests, std::vector<core::Event>& events);
  bool is_time_to_cancel() const;
  void close_canceled_groups();
  void remove_one_time_jobs();
  void note_groups(const std::vector<store::OpenGroup>& groups, std::vector<core::Event>& events);

  Oid extension_;
  std::map<core::JobId, store::PlannedJob> jobs_;
  std::map<core::RunId, core::JobId> requests_;     // as last read
  std::map<core::JobId, store::OpenGroup> groups_;  // open runs, as last read
  bool unread_ = true;
  bool unread_all_ = true;
  bool unread_groups_ = true;
  bool at_rest_ = false;
  bool roles_ = false;
  std::string admin_role_;      // when the owners were looked at
  bool one_time_jobs_ = false;  // one of them has changed
  std::vector<core::JobId> unread_jobs_;
  struct Canceled {
    core::RunId run;
    bool members_too;  // those under way
    core::Instant again_at = core::Instant::min();
    Backoff backoff{};
  };
  std::vector<Canceled> canceled_groups_;
  core::Instant try_again_at_;
};

/// The oid of the extension in this database, or InvalidOid.
Oid extension_oid();

/// True where nothing is to begin in this database: a template, or one that nobody may connect to.
bool is_database_at_rest();

}  // namespace metrics_refresh::worker
