// Names and texts as parts of a statement.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// As an identifier, in quotes if SQL needs them.
std::string identifier(const std::string& name);

/// As a string constant.
std::string literal(const std::string& value);

/// `schema.name`, each an identifier.
std::string qualified(const std::string& schema, const std::string& name);

}  // namespace metrics_refresh::pg
