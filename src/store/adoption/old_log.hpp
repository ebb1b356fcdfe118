// A hand-written log of refreshes, as described by the catalogs.
#pragma once

#include <string>
#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

struct OldLog {
  struct Column {
    std::string name;
    Oid type;
    std::string type_name;  // with length or precision
    std::string collation;  // empty if the type has none
    bool not_null;
    std::vector<std::string> words;  // allowed by an enum or a check; empty: any
  };
  struct Policy {
    bool permissive;
    std::string roles;      // names as a list of constants; empty: all roles
    std::string condition;  // empty: all rows
  };
  struct Dependent {
    std::string description;
    // Qualified name of a plain view; empty for other objects.
    std::string view;
    std::string schema;      // schema of the view, as an identifier
    std::string options;     // of the view, or empty
    std::string definition;  // of the view
    Oid owner;               // of the view
    Oid oid;                 // of the view
  };

  Oid oid = InvalidOid;
  Oid schema_oid = InvalidOid;
  std::string schema;
  std::string name;
  char kind = '\0';
  bool is_member = false;  // belongs to an extension
  bool reads_log = false;  // a view over the extension's log, made by an adoption
  Oid owner = InvalidOid;
  std::string owner_name;
  bool owner_may_create = false;  // has CREATE on the schema
  bool has_policies = false;      // row-level security is on
  bool is_forced = false;         // applies to the owner as well
  bool is_bound = false;          // the owner may not see all rows
  std::vector<Column> columns;
  std::vector<Policy> policies;     // for SELECT
  std::vector<std::string> grants;  // GRANT SELECT statements for a relation with this name
  std::vector<Dependent> dependents;
  std::vector<std::string> writers;   // functions whose text writes to it
  std::vector<std::string> triggers;  // user triggers
  std::vector<std::string> rules;     // rewrite rules
  std::vector<std::string> publications;
};

/// The present relation, or nothing. The text of functions in `replaced` is ignored, because they
/// will be replaced. REQUIRES: a search_path without the schema of the relation, so that the texts
/// of policies and views contain qualified names.
std::optional<OldLog> read_old_log(pg::Spi& spi, const std::string& schema, const std::string& name,
                                   const std::vector<Oid>& replaced);

/// Describes a type that another role than a superuser or `owner` can change or replace; empty if
/// there is none. Examined are the types that these objects of one catalog depend on. Reading a
/// constant of a type can run the checks of a domain in it. Therefore `owner` must not run the text
/// of such an object.
std::string foreign_type(pg::Spi& spi, const char* catalog, const std::vector<Oid>& objects,
                         Oid owner);

/// The rules that make the relation a view.
std::vector<Oid> rules_of(pg::Spi& spi, Oid relation);
std::vector<Oid> policies_of(pg::Spi& spi, Oid relation);

}  // namespace metrics_refresh::store
