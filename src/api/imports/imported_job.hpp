// An old job on its way to becoming one of ours: its row in the result of an import, the SQL that
// makes the new job, and the name that is free for it. Where old jobs come from is not known here.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "api/arguments.hpp"
#include "api/imports/import_target.hpp"

namespace metrics_refresh::api {

struct ImportedJob {
  std::int64_t source_id = 0;           ///< the old job's number, or its line
  std::string name;                     ///< of the new job, as it is wished, then as it will be
  std::string old_schedule;             ///< empty: there is none that can be read
  std::string schedule;                 ///< of the new job; empty: none, and nothing is made
  std::optional<std::string> timezone;  ///< none: the setting metrics_refresh.timezone
  Oid owner = InvalidOid;
  std::string owner_name;
  std::string database;
  bool active = true;
  std::string command;
  std::vector<store::ViewName> views;  ///< what it refreshes; empty: it is a command
  Timeouts timeouts;                   ///< of a refresh
  std::string action;
  std::vector<std::string> notes;

  void note(const std::string& text) {
    if (!text.empty()) notes.push_back(text);
  }
  void leave(const std::string& why) {
    action = "left";
    note(why);
  }
  /// What it is to do.
  void aim(const ImportTarget& target) {
    views = target.views;
    timeouts = target.timeouts;
    note(target.note);
    for (const std::string& text : target.notes) note(text);
  }
  bool is_left() const { return action == "left"; }
};

/// Whether a connection to this host is one to this machine.
bool is_this_host(const std::string& host);

/// The SQL that makes the job, in the database that it is for.
std::string statement_of(const ImportedJob& job);

/// What a job of ours has to do with an old one.
enum class Found { kNothing, kOther, kChanged, kEqual };

/// Gives jobs the names that are free, among those of their owners, within one import.
class Names {
 public:
  /// Where jobs are made, those that are found stay as they are until the transaction ends.
  explicit Names(bool dry_run) : dry_run_(dry_run) {}

  /// Looks for a job of the same task whose name begins so, takes its name over, and says whether
  /// it is also due when this one shall be (kEqual) or not (kChanged); else kNothing.
  Found find_by_task(ImportedJob& job, const std::string& prefix);

  /// Looks for the job that was made of this one before. Where there is none (kNothing), its name
  /// is one that is free now; else it is that job's, which has the same task, and is kEqual if it
  /// is also due when this one shall be, kChanged if not. A job of this name with another task
  /// counts only where `by_name` says so, as kOther.
  Found settle(ImportedJob& job, bool by_name);

 private:
  bool dry_run_;
  // Also of jobs that this import would make, with their owners.
  std::set<std::pair<Oid, std::string>> taken_;
};

/// Runs the statement with the rights of `role`. An error names `what` cannot be made.
void make_job(const ImportedJob& job, const std::string& what, Oid role);

/// Adds its row to the result.
void add_row(SetResult& result, const ImportedJob& job);

/// One import at a time of this role in this database; the others wait until this transaction has
/// ended. Only its own imports have this lock, which no SQL can name.
void lock_imports(Oid role);

}  // namespace metrics_refresh::api
