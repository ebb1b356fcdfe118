#include "core/error_class.hpp"

namespace metrics_refresh::core {

bool is_transient(std::string_view sqlstate) {
  const std::string_view error_class = sqlstate.substr(0, 2);
  return error_class == "08" || error_class == "40" || error_class == "53" || error_class == "57" ||
         error_class == "58" || sqlstate == "25P03" || sqlstate == "25P04" || sqlstate == "55P03";
}

}  // namespace metrics_refresh::core
