// What pg_cron makes of the text of a schedule. It passes over what it does not expect where this
// dialect refuses it, and gives some texts another meaning: so a job is moved over by what pg_cron
// did, which is not always what the text seems to say. The rules are those of pg_cron's entry.c.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace metrics_refresh::core {

/// The first version of pg_cron that reads schedules in this way.
enum class PgCronVersion : std::uint8_t {
  k1_0,  ///< five fields and nicknames, in GMT
  k1_5,  ///< also `n seconds`; cron.timezone
  k1_6,  ///< also `$`; no `@yearly`; a range whose end comes first is not always empty
};
/// Of the version that pg_extension names, such as `1.4-1`; the newest for one that is no number.
PgCronVersion pg_cron_version(std::string_view extversion);

/// The part of the text that pg_cron goes by, in its own words: five fields, a nickname, or
/// `n seconds`. Nothing where it refuses the text.
std::optional<std::string> as_pg_cron_reads(std::string_view text,
                                            PgCronVersion version = PgCronVersion::k1_6);

/// A schedule of pg_cron in this dialect.
struct FromPgCron {
  std::string schedule;  ///< due when pg_cron ran it; empty where that was never
  std::string remark;    ///< what differs from the text, or why there is no schedule; or empty
};
FromPgCron from_pg_cron(std::string_view text, PgCronVersion version);

}  // namespace metrics_refresh::core
