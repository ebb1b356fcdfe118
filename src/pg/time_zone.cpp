#include "pg/time_zone.hpp"

#include <algorithm>

#include "pg/guard.hpp"
#include "pg/settings.hpp"

namespace metrics_refresh::pg {
namespace {

using std::chrono::seconds;

// Long before any zone had a transition: from here pg_next_dst_boundary() finds them all.
constexpr pg_time_t kBeforeAllTransitions = -20'000'000'000;  // about the year 1336

struct Boundary {
  bool found;
  pg_time_t at;
  long offset_before;
};

Boundary next_boundary(const pg_tz* zone, pg_time_t from) {
  return call([=] {
    Boundary result = {};
    long offset_after;
    int dst_before;
    int dst_after;
    const int answer = pg_next_dst_boundary(&from, &result.offset_before, &dst_before, &result.at,
                                            &offset_after, &dst_after, zone);
    if (answer < 0)
      ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR),
              errmsg("could not read the transitions of time zone \"%s\"",
                     pg_get_timezone_name(const_cast<pg_tz*>(zone))));
    result.found = answer > 0;
    return result;
  });
}

}  // namespace

core::TimeZone::Period ServerTimeZone::period_at(core::Instant t) const {
  while (periods_.empty() ||
         (periods_.back().end <= t && periods_.back().end < core::Instant::max())) {
    const bool first = periods_.empty();
    const core::Instant begin = first ? core::Instant::min() : periods_.back().end;
    const pg_time_t from =
        first ? kBeforeAllTransitions
              : std::chrono::duration_cast<seconds>(begin.time_since_epoch()).count();
    const Boundary boundary = next_boundary(zone_, from);
    periods_.push_back({begin,
                        boundary.found ? core::Instant(seconds(boundary.at)) : core::Instant::max(),
                        seconds(boundary.offset_before)});
  }
  const auto after = std::upper_bound(
      periods_.begin(), periods_.end(), t,
      [](core::Instant instant, const Period& period) { return instant < period.end; });
  return after == periods_.end() ? periods_.back() : *after;
}

const core::TimeZone& time_zone(const std::string& name) {
  static auto& zones = *new std::map<std::string, ServerTimeZone>;  // no destructor at exit
  const auto known = zones.find(name);
  if (known != zones.end()) return known->second;
  const char* text = name.c_str();
  const pg_tz* zone = call([text]() -> const pg_tz* {
    pg_tz* found = pg_tzset(text);
    return found != nullptr && pg_tz_acceptable(found) ? found : nullptr;
  });
  if (zone == nullptr)
    throw SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "time zone \"" + name + "\" is not known",
                   "See the view pg_timezone_names for the names that the server knows.");
  return zones.emplace(name, ServerTimeZone(zone)).first->second;
}

const core::TimeZone& time_zone_or_default(const std::string& name) {
  return time_zone(name.empty() ? settings::timezone() : name);
}

}  // namespace metrics_refresh::pg
