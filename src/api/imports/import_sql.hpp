// What a command of an old job consists of, by the server's own parser: REFRESH statements alone,
// or the call of one function without arguments. Names are not looked up here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/guard.hpp"

namespace metrics_refresh::api {

/// A name as SQL has it; the schema is empty where it is left to search_path.
struct SqlName {
  std::string schema;
  std::string name;
};

/// Milliseconds; 0: no limit. Nothing where it is not set.
struct Timeouts {
  std::optional<int> statement;
  std::optional<int> lock;
};

struct ParsedCommand {
  /// Where every statement is a REFRESH, but for a SET of a timeout before them.
  std::vector<SqlName> refreshes;
  Timeouts timeouts;             ///< which are set before them
  std::optional<SqlName> call;   ///< where it is `SELECT f()`, `SELECT * FROM f()` or `CALL p()`
  bool calls_procedure = false;  ///< by CALL
  bool refreshes_among_others = false;  ///< some statements are a REFRESH, and others are not
  bool with_no_data = false;            ///< one of them is WITH NO DATA, which empties the view
};

/// Neither a refresh nor a call for any other command. Throws PgError for a syntax error.
ParsedCommand parse_command(const std::string& sql);

/// Whether it is empty or an expression that does nothing: a constant.
bool is_constant(const std::string& expression);

}  // namespace metrics_refresh::api
