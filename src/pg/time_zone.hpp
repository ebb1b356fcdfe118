// Time zones of the server (pg_tz) behind the interface of core. Schedules thus agree exactly with
// timestamptz arithmetic.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/schedule/time_zone.hpp"

struct pg_tz;

namespace metrics_refresh::pg {

class ServerTimeZone final : public core::TimeZone {
 public:
  explicit ServerTimeZone(const pg_tz* zone) : zone_(zone) {}

  /// Throws PgError if the server cannot read the zone.
  Period period_at(core::Instant t) const override;

 private:
  const pg_tz* zone_;
  // From the beginning of time, without gaps. Grows on demand.
  mutable std::vector<Period> periods_;
};

/// The zone with this name, or null. Accepts names of the server's time zone data, and UTC or GMT
/// with up to 14 whole hours, with the sign of POSIX. Other POSIX rules are not looked up: the
/// server keeps every zone that it has read for the life of the process, and there is no limit to
/// their number. REQUIRES: inside call().
const pg_tz* find_time_zone(const char* name) noexcept;

/// A hash of the rules of a zone as this process has read them. It changes if an offset, an
/// abbreviation or a transition changes. A process keeps the rules that it read first. A process
/// that starts after the files were replaced has the new rules. REQUIRES: inside call().
std::uint64_t rules_of_zone(const pg_tz* zone);
/// The same by name; 0 if find_time_zone() does not know the name.
std::uint64_t rules_of_zone(const char* name);

/// The zone with this name, kept for the life of the process. Throws SqlError 22023 if
/// find_time_zone() does not know the name.
const core::TimeZone& time_zone(const std::string& name);

}  // namespace metrics_refresh::pg
