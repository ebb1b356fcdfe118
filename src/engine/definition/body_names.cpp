// Finds the names in the text of a function's body and looks them up in the catalogs.
//
// The text is split into tokens (core/sql_tokens.hpp), not parsed. The token before a name and the
// token after it tell how the name is used. Example:
//   SELECT f(x) FROM s.t JOIN u USING (id)
// Here f is followed by "(", so all functions of that name count as called. s.t and u follow FROM
// and JOIN, so they count as read. x and id follow "(", so they count as well if such a table
// exists. Too much may be found, but a name that the function uses is not overlooked.
#include "core/sql_tokens.hpp"

#include "engine/definition/body_names.hpp"

#include <cstdio>

#include "engine/definition/functions.hpp"

namespace metrics_refresh::engine {
namespace {

using core::SqlToken;
using core::SqlTokenKind;

// Larger than any real search path. Schemas beyond this number are ignored.
constexpr int kMostSchemas = 1000;

struct Name {
  const char* schema;  // or null
  const char* name;
};

struct Path {
  Oid* schemas;
  int count;
};

Path current_path() {
  Path path = {static_cast<Oid*>(palloc(sizeof(Oid) * (kMostSchemas + 1))), 0};
  path.count = fetch_search_path_array(path.schemas, kMostSchemas);
  if (path.count > kMostSchemas) path.count = kMostSchemas;
  const Oid temporary = LookupNamespaceNoError("pg_temp");
  // fetch_search_path_array() leaves out the schema of temporary tables.
  if (OidIsValid(temporary)) path.schemas[path.count++] = temporary;
  return path;
}

bool is_one_of(const char* word, std::initializer_list<const char*> words) {
  for (const char* const one : words)
    if (strcmp(word, one) == 0) return true;
  return false;
}

// Returns the name as the server reads it: in lower case if it is not quoted, otherwise without its
// quotes. Long names are truncated.
char* name_of(const SqlToken& token) {
  const auto length = static_cast<int>(token.text.size());
  if (token.kind == SqlTokenKind::kName)
    return downcase_truncate_identifier(token.text.data(), length, false);
  auto* const name = static_cast<char*>(palloc(static_cast<Size>(length) + 1));
  int end = 0;
  for (int i = 0; i < length; ++i) {
    name[end++] = token.text[static_cast<std::size_t>(i)];
    // A doubled quote stands for one quote.
    if (name[end - 1] == '"') ++i;
  }
  name[end] = '\0';
  truncate_identifier(name, end, false);
  return name;
}

void object_to(FunctionBody& body, const char* reason) {
  if (body.reason == nullptr) body.reason = reason;
}

// A name that was looked up, after a letter for the kind of object. The same few names occur many
// times in a body, so each is looked up once.
constexpr Size kKeyLength = 2 * NAMEDATALEN + 3;

HTAB* make_names() {
  HASHCTL control = {};
  control.keysize = kKeyLength;
  control.entrysize = kKeyLength;
  control.hcxt = CurrentMemoryContext;
  return hash_create("names of a function's body", 64, &control,
                     HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

class NameReader {
 public:
  NameReader(FunctionBody& body, const char* source, bool is_plpgsql)
      : body_(body),
        tokens_(source, has_backslash_escapes()),
        path_(current_path()),
        is_plpgsql_(is_plpgsql) {}

  void read();

 private:
  static bool has_backslash_escapes() {
    const char* const value = GetConfigOption("standard_conforming_strings", true, false);
    return value != nullptr && strcmp(value, "off") == 0;
  }
  bool advance() { return has_token_ = tokens_.next(token_); }
  bool is_name() const {
    return token_.kind == SqlTokenKind::kName || token_.kind == SqlTokenKind::kQuotedName;
  }
  void read_name();
  void check_keyword(const char* word);
  void add_operators(const char* name);
  void add_functions(Name name);
  void add_relation(Name name);
  void add_type(Name name);
  bool is_new(char as, Name name);
  bool is_in_reach(Oid schema, Oid wanted) const;
  template <typename Find>
  Oid first_of(Name name, Find find) const;

  FunctionBody& body_;
  core::SqlTokens tokens_;
  SqlToken token_ = {};
  bool has_token_ = false;
  const Path path_;
  HTAB* const looked_up_ = make_names();
  const bool is_plpgsql_;
  const char* previous_ = "";  // the preceding word or character, in lower case
  const char* called_ = "";    // the function whose arguments have just begun
};

bool NameReader::is_new(char as, Name name) {
  char key[kKeyLength];
  (void)std::snprintf(key, sizeof key, "%c%s.%s", as, name.schema != nullptr ? name.schema : "",
                      name.name);
  bool found;
  (void)hash_search(looked_up_, key, HASH_ENTER, &found);
  return !found;
}

// `wanted` is the schema in a qualified name, or InvalidOid.
bool NameReader::is_in_reach(Oid schema, Oid wanted) const {
  if (OidIsValid(wanted)) return schema == wanted;
  for (int i = 0; i < path_.count; ++i)
    if (path_.schemas[i] == schema) return true;
  return false;
}

template <typename Find>
Oid NameReader::first_of(Name name, Find find) const {
  if (name.schema != nullptr) {
    const Oid schema = get_namespace_oid(name.schema, true);
    return OidIsValid(schema) ? find(name.name, schema) : InvalidOid;
  }
  for (int i = 0; i < path_.count; ++i)
    if (const Oid found = find(name.name, path_.schemas[i]); OidIsValid(found)) return found;
  return InvalidOid;
}

// Arguments are ignored: their types are not known without the parser. All functions of the name
// count.
void NameReader::add_functions(Name name) {
  if (!is_new('f', name)) return;
  const Oid wanted = name.schema != nullptr ? get_namespace_oid(name.schema, true) : InvalidOid;
  if (name.schema != nullptr && !OidIsValid(wanted)) return;
  // The oids are copied, so that the list in the cache is released before further lookups.
  List* found = NIL;
  catclist* const list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name.name));
  for (int i = 0; i < list->n_members; ++i) {
    const auto* const form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(&list->members[i]->tuple));
    if (is_in_reach(form->pronamespace, wanted)) found = lappend_oid(found, form->oid);
  }
  ReleaseSysCacheList(list);
  ListCell* cell;
  foreach (cell, found) add_called_function(body_, lfirst_oid(cell));
}

// In OPERATOR(schema.name) the schema is not examined. An operator of any schema counts.
void NameReader::add_operators(const char* name) {
  const bool is_qualified = strcmp(previous_, ".") == 0;
  if (!is_new(is_qualified ? 'q' : 'o', {nullptr, name})) return;
  List* found = NIL;
  catclist* const list = SearchSysCacheList1(OPERNAMENSP, CStringGetDatum(name));
  for (int i = 0; i < list->n_members; ++i) {
    const auto* const form =
        reinterpret_cast<Form_pg_operator>(GETSTRUCT(&list->members[i]->tuple));
    if (OidIsValid(form->oprcode) && (is_qualified || is_in_reach(form->oprnamespace, InvalidOid)))
      found = lappend_oid(found, form->oprcode);
  }
  ReleaseSysCacheList(list);
  ListCell* cell;
  foreach (cell, found)
    if (lfirst_oid(cell) >= FirstNormalObjectId) add_called_function(body_, lfirst_oid(cell));
}

void NameReader::add_relation(Name name) {
  if (!is_new('r', name)) return;
  const Oid relation =
      first_of(name, [](const char* one, Oid schema) { return get_relname_relid(one, schema); });
  if (OidIsValid(relation)) add_read_relation(body_, relation);
}

void NameReader::add_type(Name name) {
  if (!is_new('t', name)) return;
  const Oid type = first_of(name, [](const char* one, Oid schema) {
    return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(one),
                           ObjectIdGetDatum(schema));
  });
  // Types of the server itself do not change within a major version.
  if (type >= FirstNormalObjectId) body_.types = list_append_unique_oid(body_.types, type);
}

void NameReader::check_keyword(const char* word) {
  // The text of a dynamic statement is known only when it runs.
  if (is_plpgsql_ && strcmp(word, "execute") == 0)
    object_to(body_, "runs statements that it puts together (EXECUTE)");
  if (is_one_of(word, {"current_date", "current_time", "current_timestamp", "localtime",
                       "localtimestamp", "session_user"}))
    object_to(body_, psprintf("asks for %s", word));
}

// Reads a name with its qualification. Only the last two parts are used: of a.b.c these are b and
// c.
void NameReader::read_name() {
  const bool is_quoted = token_.kind == SqlTokenKind::kQuotedName;
  Name name = {nullptr, name_of(token_)};
  bool ends_in_dot = false;
  while (advance() && token_.is(".")) {
    ends_in_dot = !advance() || !is_name();
    if (ends_in_dot) break;
    name = {name.name, name_of(token_)};
  }
  const bool is_word = name.schema == nullptr && !is_quoted;
  if (is_word) check_keyword(name.name);
  const bool is_called = has_token_ && !ends_in_dot && token_.is("(");
  if (is_called) add_functions(name);
  if (is_one_of(previous_, {"from", "join", "only", "table", "using", "into", "update", ",", "("}))
    add_relation(name);
  if (is_one_of(previous_, {"::", "as"})) add_type(name);
  called_ = is_called ? name.name : "";
  previous_ = ends_in_dot ? "." : is_word ? name.name : "";
}

void NameReader::read() {
  (void)advance();
  while (has_token_) {
    CHECK_FOR_INTERRUPTS();
    if (is_name()) {
      read_name();
      continue;
    }
    const char* const text = pnstrdup(token_.text.data(), token_.text.size());
    if (token_.kind == SqlTokenKind::kUnknown)
      object_to(body_, "has a body that is not understood");
    else if (token_.kind == SqlTokenKind::kOperator)
      add_operators(text);
    else if (token_.kind == SqlTokenKind::kString &&
             (strcmp(previous_, "zone") == 0 || strcmp(called_, "timezone") == 0))
      body_.zones = lappend(body_.zones, pstrdup(text));
    previous_ = token_.kind == SqlTokenKind::kOther ? text : "";
    if (!token_.is("(")) called_ = "";
    (void)advance();
  }
  // The table is freed at once, because a definition can have many functions.
  hash_destroy(looked_up_);
}

}  // namespace

void read_names(FunctionBody& body, const char* text, bool is_plpgsql) {
  NameReader(body, text, is_plpgsql).read();
}

void add_called_function(FunctionBody& body, Oid function) {
  // The caller examines the bodies of functions of users. Functions of the server are judged by
  // their volatility and name.
  if (function >= FirstNormalObjectId) {
    body.functions = list_append_unique_oid(body.functions, function);
    return;
  }
  if (uses_text_search_object(function)) body.searches_text = true;
  const char* const name = get_func_name(function);
  const char marked = func_volatile(function);
  if (marked == PROVOLATILE_VOLATILE)
    object_to(body, psprintf("calls the volatile function %s()", name));
  else if (marked == PROVOLATILE_STABLE &&
           is_one_of(name,
                     {"now", "statement_timestamp", "transaction_timestamp", "current_setting"}))
    object_to(body, psprintf("calls %s()", name));
  // query_to_xml(), table_to_xml() and similar functions get the table or the statement as an
  // argument.
  else if (marked == PROVOLATILE_STABLE && strstr(name, "_to_xml") != nullptr)
    object_to(body, psprintf("calls %s(), which may read any table", name));
}

void add_read_relation(FunctionBody& body, Oid relation) {
  const Oid role = GetUserId();
  // A query cannot read indexes, composite types or TOAST tables by name.
  switch (get_rel_relkind(relation)) {
    case RELKIND_RELATION:
    case RELKIND_PARTITIONED_TABLE:
    case RELKIND_MATVIEW:
    case RELKIND_VIEW:
    case RELKIND_FOREIGN_TABLE:
    case RELKIND_SEQUENCE:
      break;
    default:
      return;
  }
  if (pg_class_aclcheck(relation, role, ACL_SELECT) == ACLCHECK_OK ||
      pg_attribute_aclcheck_all(relation, role, ACL_SELECT, ACLMASK_ANY) == ACLCHECK_OK)
    body.relations = list_append_unique_oid(body.relations, relation);
}

}  // namespace metrics_refresh::engine
