// Lists in texts, such as "a, b, c".
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <string_view>

namespace metrics_refresh::core {

/// Appends `item`. The separator stands between it and the items before.
inline void append_item(std::string& list, std::string_view item,
                        std::string_view separator = ", ") {
  if (!list.empty()) list += separator;
  list += item;
}

/// All of a range of strings as one list.
template <typename Items>
std::string joined(const Items& items, std::string_view separator = ", ") {
  std::string list;
  for (const auto& item : items) append_item(list, item, separator);
  return list;
}

}  // namespace metrics_refresh::core
