// The conversion of an old job to a job of this extension: its row in the result of an import, the
// SQL statement that makes the new job, and a free name for it. The source of the old job is not
// known here.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "api/arguments.hpp"
#include "api/imports/import_target.hpp"

namespace metrics_refresh::api {

struct ImportedJob {
  std::int64_t source_id = 0;  ///< number of the old job, or its line
  // Name of the new job: first the preferred name, then the final one.
  std::string name;
  std::string old_schedule;             ///< empty: it cannot be read
  std::string schedule;                 ///< of the new job; empty: no job is made
  std::optional<std::string> timezone;  ///< none: the setting metrics_refresh.timezone
  Oid owner = InvalidOid;
  std::string owner_name;
  std::string database;
  bool active = true;
  std::string command;
  std::vector<store::ViewName> views;  ///< views to refresh; empty: it is a command
  Timeouts timeouts;                   ///< of a refresh
  std::string action;
  std::vector<std::string> notes;

  void add_note(const std::string& text) {
    if (!text.empty()) notes.push_back(text);
  }
  void skip(const std::string& reason) {
    action = "left";
    add_note(reason);
  }
  /// Sets the task of the new job.
  void set_target(const ImportTarget& target) {
    views = target.views;
    timeouts = target.timeouts;
    add_note(target.note);
    for (const std::string& text : target.notes) add_note(text);
  }
  bool is_skipped() const { return action == "left"; }
};

/// True if a connection to this host stays on this machine.
bool is_this_host(const std::string& host);

/// The SQL statement that makes the job, to be run in the job's database.
std::string statement_of(const ImportedJob& job);

/// The relation between an existing job and an old one.
enum class Found { kNothing, kOther, kChanged, kEqual };

/// Chooses free names for the jobs of one import. Names are unique for each owner.
class Names {
 public:
  /// Unless it is a dry run, the jobs that are found stay locked until the transaction ends.
  explicit Names(bool dry_run) : dry_run_(dry_run) {}

  /// Looks for a job with the same task and a name that begins with `prefix`, and takes over its
  /// name. Returns kEqual if it has the same due times, kChanged if not, and kNothing if there is
  /// none.
  Found find_by_task(ImportedJob& job, const std::string& prefix);

  /// Looks for the job that an earlier import made from this one. If there is none, returns
  /// kNothing, and the name is free. If there is one, the name is its name; returns kEqual if it
  /// has the same due times, and kChanged if not. If a job with this name has another task, returns
  /// kOther if `by_name` is set, and tries the next name otherwise.
  Found find_or_reserve(ImportedJob& job, bool by_name);

 private:
  bool dry_run_;
  // Includes the names of jobs that this import would make, with their owners.
  std::set<std::pair<Oid, std::string>> reserved_;
};

/// Runs the statement with the rights of `role`. The message of an error begins with `what`.
void make_job(const ImportedJob& job, const std::string& what, Oid role);

/// Adds the row of this job to the result.
void add_row(SetResult& result, const ImportedJob& job);

/// Allows one import at a time for this role in this database. Others wait until this transaction
/// ends. The lock cannot be taken by SQL, so only imports hold it.
void lock_imports(Oid role);

}  // namespace metrics_refresh::api
