// The content of an old job's command according to the server's parser: only REFRESH statements, or
// the call of one function without arguments. Names are not looked up here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/guard.hpp"

namespace metrics_refresh::api {

/// A name as written in SQL. The schema is empty if search_path decides.
struct SqlName {
  std::string schema;
  std::string name;
};

/// In milliseconds; 0 means no limit. Nothing if the timeout is not set.
struct Timeouts {
  std::optional<int> statement;
  std::optional<int> lock;
};

struct ParsedCommand {
  /// The views, if every statement is a REFRESH, apart from SET of a timeout before them.
  std::vector<SqlName> refreshes;
  Timeouts timeouts;  ///< timeouts set before the refreshes
  // Set for `SELECT f()`, `SELECT * FROM f()` and `CALL p()`.
  std::optional<SqlName> call;
  bool calls_procedure = false;         ///< by CALL
  bool refreshes_among_others = false;  ///< some statements are a REFRESH, others are not
  bool with_no_data = false;            ///< one is WITH NO DATA, which empties the view
};

/// For any other command, there is neither a refresh nor a call. Throws PgError for a syntax error.
ParsedCommand parse_command(const std::string& sql);

/// True if the expression is empty or a constant, so that it has no effect.
bool is_constant(const std::string& expression);

}  // namespace metrics_refresh::api
