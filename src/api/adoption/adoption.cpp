// The list of steps of an adoption.
//
// Steps are added while the old installation is examined. finish() runs them in order, or only
// shows them in a dry run. Every step is shown in the result. The statements that undo the adoption
// follow, with the last step first.
#include "api/adoption/adoption.hpp"

#include "api/imports/imported_job.hpp"
#include "extension/own_schema.hpp"
#include "pg/as_owner.hpp"
#include "pg/definition_statement.hpp"
#include "pg/quote.hpp"
#include "pg/role.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

}  // namespace

namespace {

// Adds the name of the object to an error.
template <typename Body>
void naming(const std::string& object, Body&& body) {
  try {
    extension::lock_extension();
    body();
  } catch (const pg::PgError& error) {
    const ErrorData& data = error.data();
    throw pg::SqlError(error.sqlstate(), object + ": " + error.what(),
                       data.hint != nullptr ? data.hint : "",
                       data.detail != nullptr ? data.detail : "Nothing was changed.");
  }
}

void run_as_caller(const std::string& statement) {
  pg::with_fixed_search_path([&] {
    pg::Spi spi;
    spi.run_discarding(statement);
  });
}

}  // namespace

void require_ownership(Oid owner, const std::string& object) {
  if (pg::has_rights_of(owner)) return;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of " + object,
                     "It belongs to role \"" + pg::role_name(owner) +
                         "\": a member of it who is a super admin, or a superuser, may do this.");
}

Oid owner_of_schema(Oid schema) {
  return pg::call([schema] {
    const HeapTuple tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
    if (!HeapTupleIsValid(tuple)) return InvalidOid;
    const Oid owner = reinterpret_cast<Form_pg_namespace>(GETSTRUCT(tuple))->nspowner;
    ReleaseSysCache(tuple);
    return owner;
  });
}

bool is_trusted(Oid owner) { return owner == GetUserId() || pg::is_superuser(owner); }

std::string restore_statement(Oid owner, const std::string& definition) {
  return "SELECT metrics_refresh.restore_definition(" + pg::literal(pg::role_name(owner)) + ", " +
         pg::literal(definition) + ")";
}

void Adoption::find(const std::function<void()>& add_steps) {
  const int level = pg::call([] {
    const int nested = NewGUCNestLevel();
    // The texts of views and policies are read with locks on their tables. The owner of a table can
    // hold a lock on it for any length of time.
    pg::limit_lock_waits();
    return nested;
  });
  // A dry run releases its locks by a rollback.
  if (dry_run_) {
    pg::in_discarded_subtransaction(add_steps);
  } else {
    lock_imports(BOOTSTRAP_SUPERUSERID);  // for all super admins
    add_steps();
  }
  pg::call([level] { AtEOXact_GUC(false, level); });
}

void Adoption::run(const std::string& object, const std::string& done, const std::string& statement,
                   const std::string& note) {
  steps_.push_back({object, would_be(done), statement, note, true, {}});
}

void Adoption::define(const std::string& object, const std::string& done,
                      const std::string& statement, Oid owner, const std::string& note) {
  steps_.push_back({object, would_be(done), statement, note, false, [statement, owner] {
                      pg::run_definition(statement, owner);
                      return std::string();
                    }});
}

void Adoption::work(const std::string& object, const std::string& done,
                    std::function<std::string()> work, const std::string& note) {
  steps_.push_back({object, would_be(done), "", note, false, std::move(work)});
}

void Adoption::found(const std::string& object, const std::string& note) {
  steps_.push_back({object, "already there", "", note, false, {}});
}

void Adoption::leave(const std::string& object, const std::string& note,
                     const std::string& statement) {
  steps_.push_back({object, "left", statement, note, false, {}});
}

void Adoption::block(const std::string& object, const std::string& note) {
  steps_.push_back({object, "in the way", "", note, false, {}});
}

void Adoption::undo(const std::string& object, const std::vector<std::string>& statements) {
  std::vector<Step> steps;
  for (const std::string& statement : statements)
    steps.push_back({object, "undo", statement, "", false, {}});
  // In front: later steps are undone first.
  undo_.insert(undo_.begin(), steps.begin(), steps.end());
}

void Adoption::require_free_way() const {
  std::string detail;
  for (const Step& step : steps_)
    if (step.action == "in the way")
      core::append_item(detail, step.object + ": " + step.note + ".", "\n");
  if (detail.empty()) return;
  throw pg::SqlError(
      ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, "objects stand in the way, so nothing was changed",
      "Change or drop them, or rename them, and try again; a dry run shows all steps.", detail);
}

void Adoption::finish(FunctionCallInfo call) {
  if (!dry_run_) {
    // All objects in the way are reported in one error, not only the first.
    require_free_way();
    for (Step& step : steps_) {
      naming(step.object, [&step] {
        if (step.runs) run_as_caller(step.statement);
        const std::string note = step.work ? step.work() : "";
        if (!note.empty()) step.note = note;
      });
    }
    // An error here rolls back all steps.
    for (const auto& check : checks_) check();
  }
  SetResult result(call);
  std::int64_t number = 0;
  for (const auto* steps : {&steps_, &undo_})
    for (const Step& step : *steps)
      result.add({Param(INT4OID, Int32GetDatum(static_cast<std::int32_t>(++number))),
                  Param(step.object), Param(step.action), Param::text_or_null(step.statement),
                  Param::text_or_null(step.note)});
}

}  // namespace metrics_refresh::api
