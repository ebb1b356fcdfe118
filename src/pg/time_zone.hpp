// The server's own time zones (pg_tz) behind core's interface, so that a schedule agrees with
// timestamptz arithmetic to the second.
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

  /// Throws PgError where the server cannot read the zone.
  Period period_at(core::Instant t) const override;

 private:
  const pg_tz* zone_;
  mutable std::vector<Period>
      periods_;  // from the beginning of time, without gaps; grows on demand
};

/// The zone of this name, or null: a name of the server's time zone data, or UTC or GMT with a
/// whole number of hours, up to 14, with the sign that POSIX gives it. For what it has once read
/// the server keeps, in each process and for ever, so no other POSIX rule is looked up: there are
/// more of these than any memory holds. REQUIRES: called within call().
const pg_tz* find_time_zone(const char* name) noexcept;

/// A number for the rules of a zone, as this process has read them: another one where an offset, an
/// abbreviation or a time of change is another. A process keeps the rules that it has read first;
/// one that starts after the files were replaced has others. REQUIRES: within call().
std::uint64_t rules_of_zone(const pg_tz* zone);
/// The same by name; 0 for what find_time_zone() does not know.
std::uint64_t rules_of_zone(const char* name);

/// The zone of this name, kept for the life of the process.
/// Throws SqlError 22023 for a name that find_time_zone() does not know.
const core::TimeZone& time_zone(const std::string& name);

}  // namespace metrics_refresh::pg
