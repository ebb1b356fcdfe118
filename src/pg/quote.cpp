#include "pg/quote.hpp"

namespace metrics_refresh::pg {

std::string identifier(const std::string& name) {
  const char* text = name.c_str();
  return call([text]() -> const char* { return quote_identifier(text); });
}

std::string literal(const std::string& value) {
  const char* text = value.c_str();
  return call([text]() -> const char* { return quote_literal_cstr(text); });
}

std::string qualified(const std::string& schema, const std::string& name) {
  return identifier(schema) + "." + identifier(name);
}

}  // namespace metrics_refresh::pg
