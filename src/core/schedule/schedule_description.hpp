// A schedule in plain English, for somebody who wants to know whether it says what was meant.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>

#include "core/schedule/schedule.hpp"

namespace metrics_refresh::core {

/// `at 02:30 on the last Friday of the month, in March and November`: without a capital letter and
/// a full stop. Says all that a schedule has: which numbers an `H` stands for; where both day
/// fields are restricted, whether one of them is enough; and whether times follow the clock
/// (schedule.hpp): then there is an "every" among them, or it says what happens where an hour
/// repeats.
std::string describe(const Schedule& schedule);

}  // namespace metrics_refresh::core
