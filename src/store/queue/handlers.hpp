// The function that runs the jobs of a type. A type is bound to it by name: it may be dropped and
// created again. Jobs run with the rights of the type's owner, so a function that takes the name of
// a dropped one is used only if its owner has these rights anyway, or owned the dropped one.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::store::queue {

/// Plain data. The names are those of the last look at the function.
struct HandlerName {
  const char* schema;
  const char* name;
  bool passes_id;      // the function is (bigint, jsonb), else (jsonb)
  Oid oid;             // of the function when it was bound, or InvalidOid
  Oid function_owner;  // at that time
  Oid type_owner;
};

/// A handler as a row of job_type has it.
struct Handler {
  std::string schema;  // empty if the type has none
  std::string name;
  bool passes_id = false;
  Oid oid = InvalidOid;
  Oid function_owner = InvalidOid;
  std::string owner_name;  // of the function, for a dump

  /// For messages.
  std::string signature() const {
    return schema + "." + name + (passes_id ? "(bigint, jsonb)" : "(jsonb)");
  }
  /// Valid as long as this handler.
  HandlerName bound_for(Oid type_owner) const noexcept {
    return {schema.c_str(), name.c_str(), passes_id, oid, function_owner, type_owner};
  }
};

/// The function at this moment: the bound one as long as it exists, even under another name; else
/// the one of that name, if it is trusted. InvalidOid if there is none. REQUIRES: inside
/// pg::call().
Oid find_handler(const HandlerName& handler);

/// The reason why a function cannot be a handler.
enum class NoHandler { kNone, kMissing, kNoFunction, kReturnsSet, kArguments, kTemporary };
struct HandlerShape {
  NoHandler reason;
  bool passes_id;
  Oid owner;
  const char* schema;
  const char* name;
};
/// REQUIRES: inside pg::call().
HandlerShape shape_of_handler(Oid function);

}  // namespace metrics_refresh::store::queue
