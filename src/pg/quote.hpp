// Quoting of names and texts in statements.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// As an identifier, quoted if necessary.
std::string identifier(const std::string& name);

/// As a string constant.
std::string literal(const std::string& value);

/// `schema.name`, both as identifiers.
std::string qualified(const std::string& schema, const std::string& name);

}  // namespace metrics_refresh::pg
