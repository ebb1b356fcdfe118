// pg_cron's reading of a schedule as sets of numbers, step by step as its entry.c does it.
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
  std::string text;       ///< what it goes by, without the rest of the word
  std::uint64_t set = 0;  ///< bit n stands for the number n; of weekdays Sunday is 0
  bool has_star = false;  ///< begins with `*`
  bool last_day = false;  ///< is `$`
};

/// One of the three.
struct PgCronReading {
  std::array<PgCronField, 5> fields;
  std::string nickname;  ///< with its @; or empty
  unsigned seconds = 0;  ///< of `n seconds`; or 0

  bool is_fields() const { return nickname.empty() && seconds == 0; }
};

/// Nothing where pg_cron refuses the text.
std::optional<PgCronReading> read_as_pg_cron(std::string_view text, PgCronVersion version);

}  // namespace metrics_refresh::core
