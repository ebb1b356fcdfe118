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
    std::string options;     // of the view, or empty
    std::string definition;  // of the view
    Oid owner;               // of the view
  };

  Oid oid = InvalidOid;
  std::string schema;
  std::string name;
  char kind = '\0';
  bool is_member = false;  // of an extension
  bool reads_log = false;  // a view over the log of runs, as an adoption makes it
  Oid owner = InvalidOid;
  std::string owner_name;
  bool has_policies = false;  // row-level security is on
  bool is_forced = false;     // also for the owner
  std::vector<Column> columns;
  std::vector<Policy> policies;     // for SELECT
  std::vector<std::string> grants;  // of SELECT, what follows GRANT, with %s for the object
  std::vector<Dependent> dependents;
  std::vector<std::string> writers;   // functions that change it, by their text
  std::vector<std::string> triggers;  // that fire for its rows
  std::vector<std::string> publications;
};

/// The relation as it is now; nothing where there is none. `replaced` are functions whose text does
/// not count, for it goes. REQUIRES: for the texts of policies and views to be right for another
/// relation of this name, a search_path that holds neither.
std::optional<OldLog> read_old_log(pg::Spi& spi, const std::string& schema, const std::string& name,
                                   const std::vector<Oid>& replaced);

/// How many rows it has, and its words for their status.
struct OldRows {
  std::int64_t all;
  std::vector<std::string> words;  // distinct ones of the column
};
OldRows count_rows(pg::Spi& spi, const OldLog& log, const std::string& status_column);

}  // namespace metrics_refresh::store
