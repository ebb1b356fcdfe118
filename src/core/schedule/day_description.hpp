// Describes the days of a cron expression in plain English.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <vector>

#include "core/schedule/cron.hpp"

namespace metrics_refresh::core {

/// For example "on the last Friday of the month, in March and November". Empty if every day
/// matches.
std::string describe_days(const CronExpression& cron);

/// For example "1, 2 and 3".
std::string joined(const std::vector<std::string>& items, const char* last = " and ");

/// Returns the members of a set as texts, lowest first. Three or more in a row become "9 to 17".
/// `name` formats one number.
template <typename Name>
std::vector<std::string> items_of(std::uint64_t set, Name name) {
  std::vector<std::string> items;
  for (unsigned n = 0; n < 64; ++n) {
    if ((set >> n & 1U) == 0) continue;
    unsigned end = n;
    while (end + 1 < 64 && (set >> (end + 1) & 1U) != 0) ++end;
    if (end < n + 2) {
      items.push_back(name(n));
      continue;
    }
    items.push_back(name(n) + " to " + name(end));
    n = end;
  }
  return items;
}

}  // namespace metrics_refresh::core
