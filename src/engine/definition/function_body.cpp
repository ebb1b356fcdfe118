// Reads the body of one function.
//
// The row in pg_proc decides the way. prosqlbody is a parsed tree, which is walked. prosrc in SQL
// or PL/pgSQL is text, whose names are looked up (body_names.hpp). An aggregate consists of other
// functions. Everything is looked up as the role with whose rights the body runs.
#include "engine/definition/function_body.hpp"

#include "engine/definition/body_names.hpp"
#include "engine/definition/functions.hpp"
#include "engine/definition/stable_functions.hpp"
#include "engine/definition/tree.hpp"
#include "engine/definition/type_versions.hpp"

namespace metrics_refresh::engine {
namespace {

bool add_called(Oid function, void* context) {
  if (OidIsValid(function)) add_called_function(*static_cast<FunctionBody*>(context), function);
  return false;
}

// True if the value is constant in a refresh. A refresh runs as the owner of the view with a fixed
// search_path.
bool is_fixed(SQLValueFunctionOp value) {
  switch (value) {
    case SVFOP_CURRENT_ROLE:
    case SVFOP_CURRENT_USER:
    case SVFOP_USER:
    case SVFOP_CURRENT_CATALOG:
    case SVFOP_CURRENT_SCHEMA:
      return true;
    default:
      return false;
  }
}

bool read_node(Node* node, void* context) {
  if (node == nullptr) return false;
  FunctionBody& body = *static_cast<FunctionBody*>(context);
  (void)check_functions(node, add_called, context);
  body.types = list_union_oid(body.types, types_of(node));
  if (const char* zone = zone_of_call(node)) body.zones = lappend(body.zones, pstrdup(zone));
  if (IsA(node, SQLValueFunction) && !is_fixed(castNode(SQLValueFunction, node)->op))
    body.reason = "asks for the current time or date, or for session_user";
  if (IsA(node, Query)) {
    ListCell* cell;
    foreach (cell, castNode(Query, node)->rtable) {
      const auto* const entry = lfirst_node(RangeTblEntry, cell);
      if (entry->rtekind == RTE_RELATION) add_read_relation(body, entry->relid);
    }
    return query_tree_walker(castNode(Query, node), as_visitor(read_node), context, 0);
  }
  return walk_expression(node, read_node, context);
}

const char* text_of(HeapTuple tuple, AttrNumber column) {
  bool is_null;
  const Datum value = SysCacheGetAttr(PROCOID, tuple, column, &is_null);
  return is_null ? nullptr : TextDatumGetCString(value);
}

// The search_path that is in force while the function runs in a refresh. It is the function's own
// one or that of the refresh.
const char* search_path_of(HeapTuple tuple) {
  constexpr char kName[] = "search_path=";
  bool is_null;
  const Datum settings = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proconfig, &is_null);
  if (!is_null) {
    Datum* values;
    int count;
    deconstruct_array(DatumGetArrayTypeP(settings), TEXTOID, -1, false, TYPALIGN_INT, &values,
                      nullptr, &count);
    for (int i = 0; i < count; ++i) {
      const char* const setting = TextDatumGetCString(values[i]);
      if (strncmp(setting, kName, strlen(kName)) == 0) return setting + strlen(kName);
    }
  }
  return "pg_catalog, pg_temp";
}

void read_text(FunctionBody& body, const char* text, const char* path, bool is_plpgsql) {
  const int level = NewGUCNestLevel();
  // The lookups use the session's search_path. An error needs no cleanup, because the abort of the
  // transaction restores settings.
  (void)set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                          false);
  read_names(body, text, is_plpgsql);
  AtEOXact_GUC(true, level);
}

bool is_plpgsql(Oid language) {
  const char* const name = get_language_name(language, true);
  return name != nullptr && strcmp(name, "plpgsql") == 0;
}

// In bytes. Each token takes memory until the whole body is read.
constexpr std::size_t kLongestBody = 256 * 1024;

void read_source(FunctionBody& body, HeapTuple tuple) {
  const auto* const form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
  const bool plpgsql = is_plpgsql(form->prolang);
  if (form->prolang != SQLlanguageId && !plpgsql) return;
  body.is_open = true;
  // A function with a parsed body has an empty prosrc, so the tree comes first.
  if (const char* tree = text_of(tuple, Anum_pg_proc_prosqlbody))
    (void)read_node(static_cast<Node*>(stringToNode(tree)), &body);
  else if (const char* text = text_of(tuple, Anum_pg_proc_prosrc)) {
    if (strlen(text) > kLongestBody)
      body.reason = "has a body that is too long to be looked into";
    else
      read_text(body, text, search_path_of(tuple), plpgsql);
  }
}

}  // namespace

FunctionBody read_function_body(Oid function) {
  FunctionBody body = {};
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return body;
  const auto* const form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
  if (form->prokind == PROKIND_AGGREGATE) {
    body.is_open = true;
    (void)check_parts(function, add_called, &body);
  } else if (form->prosecdef) {
    body.definer = form->proowner;
    Oid caller;
    int context;
    GetUserIdAndSecContext(&caller, &context);
    // A SECURITY DEFINER function has the rights of its owner.
    SetUserIdAndSecContext(body.definer, context | SECURITY_LOCAL_USERID_CHANGE);
    read_source(body, tuple);
    SetUserIdAndSecContext(caller, context);
  } else {
    read_source(body, tuple);
  }
  ReleaseSysCache(tuple);
  return body;
}

}  // namespace metrics_refresh::engine
