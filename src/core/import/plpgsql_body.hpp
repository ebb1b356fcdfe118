// The body of a PL/pgSQL function that is nothing but a list of statements.
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
  std::string returned;                 ///< the expression of a RETURN at the end; or empty
};

/// `BEGIN statement; ... [RETURN ...;] END`, with comments anywhere. Nothing for any other body,
/// and for one with strings that would have to be understood. Whether the statements are SQL is for
/// others to say.
std::optional<PlainBody> read_plain_body(std::string_view body);

/// What may be SQL in any body: statements, queries of loops, conditions and assigned expressions,
/// without the words of PL/pgSQL around them, and with others that are none. Empty where the body
/// cannot be taken apart. For a guess only.
std::vector<std::string> parts_of_body(std::string_view body);

}  // namespace metrics_refresh::core
