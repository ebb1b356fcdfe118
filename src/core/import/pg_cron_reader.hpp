// Reads a schedule as pg_cron does, into sets of numbers. It follows each step of its entry.c.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/import/pg_cron_schedule.hpp"

namespace metrics_refresh::core {

struct PgCronField {
  std::string text;       ///< the part that pg_cron uses, without the rest of the word
  std::uint64_t set = 0;  ///< bit n stands for the number n; for weekdays, Sunday is 0
  bool has_star = false;  ///< begins with `*`
  bool last_day = false;  ///< is `$`
};

/// The result is one of the three: fields, a nickname or seconds.
struct PgCronReading {
  std::array<PgCronField, 5> fields;
  std::string nickname;  ///< with its @, or empty
  unsigned seconds = 0;  ///< from `n seconds`, or 0

  bool is_fields() const { return nickname.empty() && seconds == 0; }
};

/// Returns nothing if pg_cron refuses the text.
std::optional<PgCronReading> read_as_pg_cron(std::string_view text, PgCronVersion version);

}  // namespace metrics_refresh::core
