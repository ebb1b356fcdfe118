// Follows calls from one function to the next.
//
// The list of functions is also the queue of the search: each body that is read may append
// functions. An entry is a function together with the role that calls it, because rights and
// lookups depend on the role. Example:
//   f() calls g(), a SECURITY DEFINER function of r, and g() calls h()
// yields f() for the caller, g() for the caller, and h() for the role r.
#include "engine/definition/reach.hpp"

#include "engine/definition/function_body.hpp"
#include "engine/definition/functions.hpp"
#include "engine/definition/type_versions.hpp"
#include "pg/role.hpp"
#include "pg/time_zone.hpp"

namespace metrics_refresh::engine {
namespace {

constexpr int kMostDescribed = 5;
// Each of these relations is analyzed like a relation of the view itself.
constexpr int kMostReads = 500;

void object_to(Reach& reach, Oid function, const char* reason) {
  if (reach.reason == nullptr)
    reach.reason = psprintf("its function %s() %s", get_func_name(function), reason);
}

// The functions that the body calls, and the cast functions of its types. Casts may be implicit, so
// they do not appear in a text.
List* called_by(const FunctionBody& body) {
  List* called = list_copy(body.functions);
  ListCell* cell;
  foreach (cell, body.types) called = list_union_oid(called, cast_functions(lfirst_oid(cell)));
  return called;
}

bool has(const Reach& reach, Oid function, Oid role) {
  ListCell* called;
  ListCell* caller;
  forboth(called, reach.functions, caller, reach.callers) {
    if (lfirst_oid(called) == function && lfirst_oid(caller) == role) return true;
  }
  return false;
}

void add(Reach& reach, Oid function, Oid role) {
  reach.functions = lappend_oid(reach.functions, function);
  reach.callers = lappend_oid(reach.callers, role);
}

void add_called(Reach& reach, Oid function, const FunctionBody& body, Oid role) {
  ListCell* cell;
  foreach (cell, called_by(body)) {
    const Oid called = lfirst_oid(cell);
    // A function that the role may not execute raises an error when it is called, and reads
    // nothing.
    if (has(reach, called, role) || !pg::may_execute(called, role)) continue;
    if (list_length(reach.functions) >= kMostFunctions)
      return object_to(reach, function, "calls too many others");
    add(reach, called, role);
  }
}

bool has_read(const Reach& reach, Oid relation, Oid role) {
  ListCell* cell;
  foreach (cell, reach.reads) {
    const auto* read = static_cast<const ReadByFunction*>(lfirst(cell));
    if (read->relation == relation && read->reader == role) return true;
  }
  return false;
}

void add_reads(Reach& reach, Oid function, const FunctionBody& body, Oid role) {
  ListCell* cell;
  foreach (cell, body.relations) {
    if (has_read(reach, lfirst_oid(cell), role)) continue;
    if (list_length(reach.reads) >= kMostReads)
      return object_to(reach, function, "reads, with others, too many relations");
    auto* const read = static_cast<ReadByFunction*>(palloc(sizeof(ReadByFunction)));
    *read = {lfirst_oid(cell), function, role};
    reach.reads = lappend(reach.reads, read);
  }
}

// Adds the functions and relations of one body. The current role is the one that calls it.
// `is_first` if the definition itself calls the function; its volatility was checked by the caller.
void add_body(Reach& reach, Oid function, bool is_first) {
  const FunctionBody body = read_function_body(function);
  if (!body.is_open) {
    if (!is_first && func_volatile(function) == PROVOLATILE_VOLATILE)
      object_to(reach, function, "is volatile, and its language is not looked into");
    return;
  }
  const Oid role = OidIsValid(body.definer) ? body.definer : GetUserId();
  if (body.reason != nullptr) object_to(reach, function, body.reason);
  add_reads(reach, function, body, role);
  reach.types = list_union_oid(reach.types, body.types);
  reach.zones = list_concat(reach.zones, body.zones);
  reach.searches_text = reach.searches_text || body.searches_text;
  add_called(reach, function, body, role);
}

}  // namespace

// A function that the caller may not execute raises an error when it is called, and reads nothing.
// It is ignored.
void follow(Reach& reach, Oid function) {
  Oid role;
  int context;
  GetUserIdAndSecContext(&role, &context);
  if (function < FirstNormalObjectId || has(reach, function, role) ||
      !pg::may_execute(function, role))
    return;
  const int first = list_length(reach.functions);
  add(reach, function, role);
  for (int at = first; at < list_length(reach.functions); ++at) {
    CHECK_FOR_INTERRUPTS();
    // An error needs no cleanup: the abort of the transaction restores the role.
    SetUserIdAndSecContext(list_nth_oid(reach.callers, at), context | SECURITY_LOCAL_USERID_CHANGE);
    add_body(reach, list_nth_oid(reach.functions, at), at == first);
    SetUserIdAndSecContext(role, context);
  }
}

void append_reach(StringInfo text, const Reach& reach) {
  ListCell* cell;
  foreach (cell, reach.functions) append_function(text, lfirst_oid(cell));
  List* seen = NIL;
  foreach (cell, reach.types) append_type(text, lfirst_oid(cell), &seen);
  foreach (cell, reach.zones)
    appendStringInfo(text, "zone " UINT64_FORMAT " ",
                     pg::rules_of_zone(static_cast<char*>(lfirst(cell))));
  if (reach.searches_text) append_text_search(text);
}

const char* describe_reads(const Reach& reach) {
  StringInfoData text;
  initStringInfo(&text);
  int count = 0;
  ListCell* cell;
  foreach (cell, reach.reads) {
    const auto* const read = static_cast<ReadByFunction*>(lfirst(cell));
    const char* const name = get_rel_name(read->relation);
    const char* const function = get_func_name(read->function);
    if (name == nullptr || function == nullptr) continue;
    if (count++ >= kMostDescribed) continue;
    appendStringInfo(
        &text, "%s%s (%s)", count > 1 ? ", " : "",
        quote_qualified_identifier(get_namespace_name(get_rel_namespace(read->relation)), name),
        quote_qualified_identifier(get_namespace_name(get_func_namespace(read->function)),
                                   function));
  }
  if (count > kMostDescribed) appendStringInfo(&text, " and %d more", count - kMostDescribed);
  return text.data;
}

}  // namespace metrics_refresh::engine
