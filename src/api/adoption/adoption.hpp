// The steps of moving in from what was written by hand, as they are found and then done: all of
// them, or none if something stands in the way. Each is a row of the result, and so are the
// statements that take them back.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/arguments.hpp"

namespace metrics_refresh::api {

/// Throws SqlError 42501 unless the caller has the rights of the object's owner.
void require_ownership(Oid owner, const std::string& object);

/// InvalidOid where there is no such schema.
Oid owner_of_schema(Oid schema);

/// Whether the owner is the caller or a superuser.
bool is_trusted(Oid owner);

/// A statement that runs CREATE OR REPLACE FUNCTION or VIEW as the owner, see
/// metrics_refresh.restore_definition().
std::string restore_statement(Oid owner, const std::string& definition);

class Adoption {
 public:
  explicit Adoption(bool dry_run) : dry_run_(dry_run) {}

  bool dry_run() const { return dry_run_; }

  /// Has the steps added. One adoption at a time finds what it then does; a dry run keeps no lock.
  void find(const std::function<void()>& add_steps);

  /// A statement to run as the caller; `done` is the participle for it.
  void run(const std::string& object, const std::string& done, const std::string& statement,
           const std::string& note = {});
  /// A definition to run as `owner`, see pg::run_definition().
  void define(const std::string& object, const std::string& done, const std::string& statement,
              Oid owner, const std::string& note = {});
  /// The same of what no statement of the caller's can do. `work` returns a note or nothing.
  void work(const std::string& object, const std::string& done, std::function<std::string()> work,
            const std::string& note = {});
  /// What is as it is to be.
  void found(const std::string& object, const std::string& note = {});
  /// What somebody else has to do, by this statement if there is one.
  void leave(const std::string& object, const std::string& note, const std::string& statement = {});
  /// What keeps everything from being done.
  void block(const std::string& object, const std::string& note);
  /// Statements that take back what was added since the last call, in the order to run them in:
  /// before those of earlier calls.
  void undo(const std::string& object, const std::vector<std::string>& statements);

  /// What has to hold when all is done; it throws where another session has come between.
  void check(std::function<void()> check) { checks_.push_back(std::move(check)); }

  /// Does everything, unless it is a dry run, and gives the rows. Throws SqlError 2BP01 where
  /// something stands in the way.
  void finish(FunctionCallInfo call);

 private:
  struct Step {
    std::string object;
    std::string action;
    std::string statement;
    std::string note;
    bool runs = false;
    std::function<std::string()> work;
  };

  std::string would_be(const std::string& done) const {
    return (dry_run_ ? "would be " : "") + done;
  }
  void require_free_way() const;

  bool dry_run_;
  std::vector<Step> steps_;
  std::vector<Step> undo_;
  std::vector<std::function<void()>> checks_;
};

}  // namespace metrics_refresh::api
