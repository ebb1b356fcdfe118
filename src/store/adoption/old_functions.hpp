// Hand-written functions, as described by the catalogs.
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
  std::string arguments;  // as in CREATE FUNCTION, with names and defaults
  std::string result;     // the same
  std::int64_t argument_count = 0;
  Oid first_argument = InvalidOid;
  Oid result_type = InvalidOid;
  std::string result_type_name;
  bool returns_set = false;
  std::vector<Column> columns;  // columns of RETURNS TABLE, or output arguments
  bool is_function = false;     // not a procedure, aggregate or window function
  bool is_member = false;       // belongs to an extension
  bool is_definer = false;
  bool is_volatile = false;
  bool is_sql = false;
  Oid owner = InvalidOid;
  std::string source;
  std::string definition;               // CREATE OR REPLACE FUNCTION …
  std::vector<std::string> dependents;  // descriptions of views and other objects that call it
  // Extensions with which it is dropped (DEPENDS ON EXTENSION).
  std::vector<std::string> extensions;
};

/// All functions with this name in the schema, ordered by signature.
std::vector<OldFunction> functions_named(pg::Spi& spi, Oid schema, const std::string& name);

}  // namespace metrics_refresh::store
