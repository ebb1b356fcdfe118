// Reads the body of a PL/pgSQL function that is a plain list of statements.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace metrics_refresh::core {

struct PlainBody {
  std::vector<std::string> statements;  ///< without comments
  std::string returned;                 ///< the expression of a RETURN at the end, or empty
};

/// Reads `BEGIN statement; ... [RETURN ...;] END`, with comments at any place. Returns nothing for
/// any other body, and for strings that it cannot read safely. The caller must check that the
/// statements are SQL.
std::optional<PlainBody> read_plain_body(std::string_view body);

/// Returns all parts of any body that may be SQL: statements, queries of loops, conditions and
/// assigned expressions, without the PL/pgSQL keywords around them. Other parts may be included.
/// Returns nothing if the body cannot be cut. Use it only for guesses.
std::vector<std::string> parts_of_body(std::string_view body);

}  // namespace metrics_refresh::core
