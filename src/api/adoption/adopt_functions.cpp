#include "api/adoption/adopt_functions.hpp"

#include <algorithm>

#include "api/access.hpp"
#include "pg/quote.hpp"

namespace metrics_refresh::api {
namespace {

using store::OldFunction;
using store::Thin;

std::string joined(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + text;
  return list;
}

std::string note_of(const OldFunction& function) {
  std::string note;
  if (function.is_definer)
    note =
        "was SECURITY DEFINER: it has its caller's rights now, so EXECUTE alone is not enough to "
        "refresh or to see the log";
  if (!function.dependents.empty())
    note += (note.empty() ? "" : "; ") + joined(function.dependents) + " can go on to use it";
  return note;
}

void adopt_function(Adoption& adoption, const std::string& schema, const OldFunction& function,
                    const Thin& thin) {
  const std::string object = "function " + function.signature;
  if (function.is_member) return adoption.block(object, "it is an extension's own");
  const auto body = store::body_of(thin, function);
  if (const auto* no = std::get_if<store::NotServed>(&body)) {
    const std::string users = joined(function.dependents);
    return adoption.block(object, no->reason + ", so it cannot be replaced" +
                                      (users.empty() ? "" : "; " + users + " depends on it"));
  }
  const std::string& text = std::get<std::string>(body);
  if (function.is_sql && function.source == text) return adoption.found(object);
  adoption.run(object, "replaced", store::replace_statement(thin, function, schema, text),
               note_of(function));
  std::vector<std::string> statements = {function.definition};
  // Whoever undoes it does not read the body, whose constants may be of types with code.
  if (!is_trusted(function.owner))
    statements = {"SET check_function_bodies = off", function.definition,
                  "RESET check_function_bodies"};
  adoption.undo(object, statements);
}

void make_function(Adoption& adoption, const std::string& schema, const Thin& thin) {
  const OldFunction function = store::usual_function(thin, schema);
  const auto body = store::body_of(thin, function);
  adoption.run("function " + function.signature, "made",
               store::replace_statement(thin, function, schema, std::get<std::string>(body)));
  adoption.undo("function " + function.signature, {"DROP FUNCTION " + function.signature});
}

}  // namespace

std::vector<OldFunction> find_functions(Oid schema, const std::vector<Thin>& thin) {
  std::vector<OldFunction> found;
  with_tables([&](pg::Spi& spi) {
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
                     bool make_missing, Oid schema_owner) {
  for (const Thin& one : thin) {
    bool is_there = false;
    for (const OldFunction& function : functions) {
      if (function.name != one.name) continue;
      is_there = true;
      if (is_trusted(function.owner) || function.owner == schema_owner)
        adopt_function(adoption, schema, function, one);
      else
        adoption.block("function " + function.signature, stranger(function.owner));
    }
    if (!is_there && make_missing) make_function(adoption, schema, one);
  }
}

}  // namespace metrics_refresh::api
