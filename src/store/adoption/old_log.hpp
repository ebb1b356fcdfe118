// A table that people wrote their log of refreshes into, as the catalogs have it.
#pragma once

#include <string>
#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

struct OldLog {
  struct Column {
    std::string name;
    Oid type;
    std::string type_name;  // with its length or precision
    std::string collation;  // empty: the type has none
    bool not_null;
    std::vector<std::string> words;  // that an enum or a check allows; empty: any
  };
  struct Policy {
    bool permissive;
    std::string roles;      // names as a list of constants; empty: everybody
    std::string condition;  // empty: all rows
  };
  struct Dependent {
    std::string description;
    std::string view;        // a plain view, by its qualified name; empty: something else
    std::string schema;      // of the view, as an identifier
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
  bool is_member = false;  // of an extension
  bool reads_log = false;  // a view over the log of runs, as an adoption makes it
  Oid owner = InvalidOid;
  std::string owner_name;
  bool owner_may_create = false;  // in the schema
  bool has_policies = false;      // row-level security is on
  bool is_forced = false;         // also for the owner
  bool is_bound = false;          // the owner himself may not see all rows
  std::vector<Column> columns;
  std::vector<Policy> policies;     // for SELECT
  std::vector<std::string> grants;  // of SELECT, as statements for a relation of this name
  std::vector<Dependent> dependents;
  std::vector<std::string> writers;   // functions that change it, by their text
  std::vector<std::string> triggers;  // that fire for its rows
  std::vector<std::string> rules;     // for its rows
  std::vector<std::string> publications;
};

/// The relation as it is now; nothing where there is none. `replaced` are functions whose text does
/// not count, for it goes. REQUIRES: for the texts of policies and views to be right for another
/// relation of this name, a search_path that holds neither.
std::optional<OldLog> read_old_log(pg::Spi& spi, const std::string& schema, const std::string& name,
                                   const std::vector<Oid>& replaced);

/// A type that somebody else than a superuser or `owner` can change or replace, among those that
/// objects of one catalog depend on; described, or empty. To read a constant of a type can run the
/// checks of a domain within it, so the text of such an object is no text for `owner` to run.
std::string foreign_type(pg::Spi& spi, const char* catalog, const std::vector<Oid>& objects,
                         Oid owner);

/// The rules that make the relation a view, or the policies of a table.
std::vector<Oid> rules_of(pg::Spi& spi, Oid relation);
std::vector<Oid> policies_of(pg::Spi& spi, Oid relation);

}  // namespace metrics_refresh::store
