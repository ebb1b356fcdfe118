// Replaces hand-written functions by functions that call the extension.
//
// For each function three things are checked before it is replaced: its arguments and columns can
// be served (store/adoption/thin_functions.cpp), its owner is part of the installation, and its
// owner could run both definitions. A function that fails a check blocks the whole adoption. Each
// definition runs as the owner of the function, because parsing it may run the owner's code.
#include "api/adoption/adopt_functions.hpp"

#include <algorithm>

#include "api/access.hpp"
#include "extension/own_schema.hpp"
#include "pg/definition_statement.hpp"
#include "pg/quote.hpp"
#include "pg/role.hpp"
#include "store/adoption/old_log.hpp"

namespace metrics_refresh::api {
namespace {

using store::OldFunction;
using store::Thin;

std::string function_note(const OldFunction& function) {
  std::string note;
  if (function.is_definer)
    note =
        "was SECURITY DEFINER: it has its caller's rights now, so EXECUTE alone is not enough to "
        "refresh or to see the log";
  if (!function.dependents.empty())
    core::append_item(note, core::joined(function.dependents) + " can go on to use it", "; ");
  return note;
}

std::string stranger(Oid owner) {
  return "it belongs to role \"" + pg::role_name(owner) +
         "\", to whom the rest does not belong: drop it, or give it to the owner of the schema or "
         "of the view";
}

// The reason why the owner could not replace the function and restore it, or empty.
std::string reason_against_replacement(const OldFunction& function, const std::string& statement) {
  std::string type;
  extension::as_extension([&](pg::Spi& spi) {
    type = store::foreign_type(spi, "pg_proc", {function.oid}, function.owner);
  });
  if (!type.empty()) return "its text may run code of " + type;
  const std::string reason =
      pg::reason_against_definitions({statement, function.definition}, function.owner);
  return reason.empty() ? ""
                        : "its owner, role \"" + pg::role_name(function.owner) +
                              "\", could not replace it and put it back: " + reason;
}

// CREATE OR REPLACE removes the dependencies of the function on extensions, so they are added
// again.
std::vector<std::string> undo_statements(const OldFunction& function) {
  std::vector<std::string> statements = {restore_statement(function.owner, function.definition)};
  for (const std::string& extension : function.extensions)
    statements.push_back("ALTER FUNCTION " + function.signature + " DEPENDS ON EXTENSION " +
                         extension);
  return statements;
}

// Another session may have given this name to a different function. If that function belongs to the
// same owner, it would have been replaced by mistake. The oid of a new function is not known, so it
// is 0.
void require_replaced(const OldFunction& function, Oid owner, const std::string& source) {
  bool is_replaced = false;
  extension::as_extension([&](pg::Spi& spi) {
    is_replaced =
        spi.query(
               "SELECT EXISTS (SELECT FROM pg_proc WHERE oid::regprocedure::text = $4"
               " AND (oid = $1 OR $1 = 0) AND proowner = $2 AND prosrc = $3)"
               " AS is_replaced",
               {pg::Param::oid(function.oid), pg::Param::oid(owner), source, function.signature})
            .get_bool(0, "is_replaced");
  });
  if (is_replaced) return;
  throw pg::SqlError(ERRCODE_OBJECT_IN_USE,
                     "function " + function.signature + " was changed by another session",
                     "Nothing was changed: try again.");
}

void adopt_function(Adoption& adoption, const std::string& schema, const OldFunction& function,
                    const Thin& thin) {
  const std::string object = "function " + function.signature;
  if (function.is_member) return adoption.block(object, "it is an extension's own");
  const auto body = store::body_of(thin, function);
  if (const auto* no = std::get_if<store::NotServed>(&body)) {
    const std::string users = core::joined(function.dependents);
    return adoption.block(object, no->reason + ", so it cannot be replaced" +
                                      (users.empty() ? "" : "; " + users + " depends on it"));
  }
  const std::string& text = std::get<std::string>(body);
  // An earlier adoption has already replaced it.
  if (function.is_sql && function.source == text) return adoption.found(object);
  const std::string statement = store::replace_statement(thin, function, schema, text);
  const std::string reason = reason_against_replacement(function, statement);
  if (!reason.empty()) return adoption.block(object, reason);
  adoption.define(object, "replaced", statement, function.owner, function_note(function));
  adoption.undo(object, undo_statements(function));
  // The check runs after all steps, in the same transaction.
  adoption.check([function, text] { require_replaced(function, function.owner, text); });
}

void make_function(Adoption& adoption, const std::string& schema, const Thin& thin) {
  const OldFunction function = store::usual_function(thin, schema);
  const std::string body = std::get<std::string>(store::body_of(thin, function));
  const Oid maker = GetUserId();
  adoption.define("function " + function.signature, "made",
                  store::replace_statement(thin, function, schema, body), maker);
  adoption.undo("function " + function.signature, {"DROP FUNCTION " + function.signature});
  adoption.check([function, maker, body] { require_replaced(function, maker, body); });
}

}  // namespace

std::vector<OldFunction> find_functions(Oid schema, const std::vector<Thin>& thin) {
  std::vector<OldFunction> found;
  extension::as_extension([&](pg::Spi& spi) {
    for (const Thin& one : thin) {
      std::vector<OldFunction> named = store::functions_named(spi, schema, one.name);
      std::move(named.begin(), named.end(), std::back_inserter(found));
    }
  });
  for (const OldFunction& function : found)
    require_ownership(function.owner, "function " + function.signature);
  return found;
}

void adopt_functions(Adoption& adoption, const std::string& schema,
                     const std::vector<OldFunction>& functions, const std::vector<Thin>& thin,
                     bool make_missing, const std::vector<Oid>& owners) {
  // A function of any other role could be a trap for the callers of the adopted one.
  const auto is_of_installation = [&](Oid owner) {
    return is_trusted(owner) || std::find(owners.begin(), owners.end(), owner) != owners.end();
  };
  for (const Thin& one : thin) {
    bool is_there = false;
    for (const OldFunction& function : functions) {
      if (function.name != one.name) continue;
      is_there = true;
      if (is_of_installation(function.owner))
        adopt_function(adoption, schema, function, one);
      else
        adoption.block("function " + function.signature, stranger(function.owner));
    }
    if (!is_there && make_missing) make_function(adoption, schema, one);
  }
}

}  // namespace metrics_refresh::api
