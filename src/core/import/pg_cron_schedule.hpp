// Interprets schedules as pg_cron does. pg_cron skips text that it does not expect, where our
// dialect raises an error, and it gives some texts another meaning. So a job is imported with the
// due times that it had under pg_cron, which may differ from the apparent meaning of its text. The
// rules come from pg_cron's entry.c.
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
  k1_6,  ///< also `$`; no `@yearly`; a reversed range is not always empty
};
/// Returns the constant for the version in pg_extension, such as `1.4-1`. A version that is not a
/// number counts as the newest one.
PgCronVersion pg_cron_version(std::string_view extversion);

/// Returns the part of the text that pg_cron uses, in its own words: five fields, a nickname, or `n
/// seconds`. Returns nothing if pg_cron refuses the text.
std::optional<std::string> as_pg_cron_reads(std::string_view text,
                                            PgCronVersion version = PgCronVersion::k1_6);

/// A schedule of pg_cron, converted to our dialect.
struct FromPgCron {
  std::string schedule;  ///< with the same due times; empty if pg_cron never ran it
  std::string note;      ///< a difference to the text, why there is no schedule, or empty
};
FromPgCron from_pg_cron(std::string_view text, PgCronVersion version);

}  // namespace metrics_refresh::core
