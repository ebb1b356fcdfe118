// Functions that people wrote by hand, as the catalogs have them.
#pragma once

#include <string>
#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

struct OldFunction {
  struct Column {
    std::string name;
    Oid type;
    std::string type_name;
  };

  Oid oid = InvalidOid;
  std::string name;
  std::string signature;  // schema.name(types)
  std::string arguments;  // as CREATE FUNCTION has them, with names and defaults
  std::string result;     // likewise
  std::int64_t argument_count = 0;
  Oid first_argument = InvalidOid;
  Oid result_type = InvalidOid;
  std::string result_type_name;
  bool returns_set = false;
  std::vector<Column> columns;  // of RETURNS TABLE, or output arguments
  bool is_function = false;     // not a procedure, an aggregate or a window function
  bool is_member = false;       // of an extension
  bool is_definer = false;
  bool is_volatile = false;
  bool is_sql = false;
  Oid owner = InvalidOid;
  std::string source;
  std::string definition;               // CREATE OR REPLACE FUNCTION …
  std::vector<std::string> dependents;  // views and the like that call it, described
  std::vector<std::string> extensions;  // that take it with them when they are dropped
};

/// All of this name in the schema, by signature.
std::vector<OldFunction> functions_named(pg::Spi& spi, Oid schema, const std::string& name);

}  // namespace metrics_refresh::store
