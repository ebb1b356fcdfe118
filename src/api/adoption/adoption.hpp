// The steps of an adoption of a hand-written installation. They are collected first and then run,
// all or none: none if an object is in the way. Each step is a row of the result. So is each
// statement that undoes them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/arguments.hpp"

namespace metrics_refresh::api {

/// Throws SqlError 42501 unless the caller has the rights of the object's owner.
void require_ownership(Oid owner, const std::string& object);

/// InvalidOid if the schema does not exist.
Oid owner_of_schema(Oid schema);

/// True if the owner is the caller or a superuser.
bool is_trusted(Oid owner);

/// A statement that runs CREATE OR REPLACE FUNCTION or VIEW as the owner. See
/// metrics_refresh.restore_definition().
std::string restore_statement(Oid owner, const std::string& definition);

class Adoption {
 public:
  explicit Adoption(bool dry_run) : dry_run_(dry_run) {}

  bool dry_run() const { return dry_run_; }

  /// Calls `add_steps`. Only one adoption at a time can find steps and run them. A dry run keeps no
  /// lock.
  void find(const std::function<void()>& add_steps);

  /// Adds a statement that runs as the caller. `done` is the participle shown for it, such as
  /// "replaced".
  void run(const std::string& object, const std::string& done, const std::string& statement,
           const std::string& note = {});
  /// Adds a definition that runs as `owner`. See pg::run_definition().
  void define(const std::string& object, const std::string& done, const std::string& statement,
              Oid owner, const std::string& note = {});
  /// Adds a step that is not a statement of the caller. `work` returns a note or an empty string.
  void work(const std::string& object, const std::string& done, std::function<std::string()> work,
            const std::string& note = {});
  /// Adds an object that needs no change.
  void found(const std::string& object, const std::string& note = {});
  /// Adds an action that the user has to perform, with its statement if there is one.
  void leave(const std::string& object, const std::string& note, const std::string& statement = {});
  /// Adds an object that prevents the adoption.
  void block(const std::string& object, const std::string& note);
  /// Adds statements that undo the steps since the last call, in the order in which they must run.
  /// They come before those of earlier calls.
  void undo(const std::string& object, const std::vector<std::string>& statements);

  /// Adds a condition that must be true after all steps. It throws if another session has
  /// interfered.
  void check(std::function<void()> check) { checks_.push_back(std::move(check)); }

  /// Runs all steps, unless it is a dry run, and returns the rows. Throws SqlError 2BP01 if an
  /// object is in the way.
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
