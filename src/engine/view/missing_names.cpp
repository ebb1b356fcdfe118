// Makes the hint for a refresh that failed because a name was not found.
//
// The failed statement is parsed without the catalogs. Each unqualified name in it is looked up
// with the search_path of the owner of the view. Example:
//   owner's search_path: app, public;  failed statement: SELECT rate FROM rates
// If app.rates exists, the hint tells to write app.rates or to set a search_path for the function.
#include "engine/view/missing_names.hpp"

#include "engine/definition/tree.hpp"
#include "engine/view/owner_settings.hpp"
#include "pg/identity.hpp"
#include "pg/names.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::engine {
namespace {

using pg::NameKind;

struct Search {
  const char* mentioned_in;  // null: all names count
  StringInfo found;
  List* written;  // names that are in `found`
};

void look_up(Search* search, NameKind kind, const char* name) {
  // The message of the error contains the missing name, so other names of the statement are left
  // out.
  if (search->mentioned_in != nullptr && strstr(search->mentioned_in, name) == nullptr) return;
  const char* const schema = pg::schema_by_path(kind, name);
  if (schema == nullptr) return;
  char* const text = kind == NameKind::kOperator
                         ? psprintf("OPERATOR(%s.%s)", quote_identifier(schema), name)
                         : quote_qualified_identifier(schema, name);
  if (list_member(search->written, makeString(text))) return;
  search->written = lappend(search->written, makeString(text));
  appendStringInfo(search->found, "%s%s", search->found->len > 0 ? ", " : "", text);
}

void look_up_only(Search* search, NameKind kind, List* names) {
  if (list_length(names) == 1) look_up(search, kind, strVal(linitial(names)));
}

bool look_up_names(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* const search = static_cast<Search*>(context);
  if (IsA(node, RangeVar) && castNode(RangeVar, node)->schemaname == nullptr)
    look_up(search, NameKind::kRelation, castNode(RangeVar, node)->relname);
  if (IsA(node, FuncCall))
    look_up_only(search, NameKind::kFunction, castNode(FuncCall, node)->funcname);
  if (IsA(node, TypeName)) look_up_only(search, NameKind::kType, castNode(TypeName, node)->names);
  if (IsA(node, A_Expr)) look_up_only(search, NameKind::kOperator, castNode(A_Expr, node)->name);
  return raw_expression_tree_walker(node, as_visitor(look_up_names), context);
}

// `sql` is a statement of a function, or an expression or assignment of PL/pgSQL. The mode must
// match, otherwise the parser raises an error.
const char* found_in(const char* sql, RawParseMode mode, const char* path,
                     const char* mentioned_in) {
  const int level = NewGUCNestLevel();
  // An error needs no cleanup, because the subtransaction of the caller restores the setting.
  (void)set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                          false);
  StringInfoData found;
  initStringInfo(&found);
  Search search = {mentioned_in, &found, NIL};
  List* const statements = raw_parser(sql, mode);
  ListCell* cell;
  foreach (cell, statements) (void)look_up_names(lfirst_node(RawStmt, cell)->stmt, &search);
  AtEOXact_GUC(false, level);
  return found.data;
}

}  // namespace

std::string names_found_by_path(const std::string& sql, Oid owner,
                                const std::string& mentioned_in) {
  const std::string path = setting_of(owner, "search_path");
  const char* const path_text = path.c_str();
  const char* const sql_text = sql.c_str();
  const char* const mention = pg::c_str_or_null(mentioned_in);
  // The kind of statement is not known. The first mode that can parse it is right. Each try has a
  // subtransaction, because the parser raises its errors.
  for (const RawParseMode mode :
       {RAW_PARSE_DEFAULT, RAW_PARSE_PLPGSQL_EXPR, RAW_PARSE_PLPGSQL_ASSIGN1}) {
    std::string found;
    const auto error = pg::in_subtransaction([&] {
      pg::ActAs scope(owner);
      found = pg::call([=] { return found_in(sql_text, mode, path_text, mention); });
    });
    if (!error) return found;
  }
  return "";
}

void hint_at_missing_name(store::RunError& error, Oid owner) {
  const bool is_missing = error.is(ERRCODE_UNDEFINED_TABLE) ||
                          error.is(ERRCODE_UNDEFINED_FUNCTION) ||
                          error.is(ERRCODE_UNDEFINED_OBJECT);
  if (error.query.empty() || !is_missing) return;
  const std::string names = names_found_by_path(error.query, owner, error.message);
  if (names.empty()) return;
  error.hint =
      "A refresh looks names up in pg_catalog and pg_temp alone; the search_path of the view's "
      "owner "
      "also finds " +
      names +
      ". Write the name so in the function, or give the function a path of its own: ALTER FUNCTION "
      "... SET search_path = ..., pg_temp.";
}

}  // namespace metrics_refresh::engine
