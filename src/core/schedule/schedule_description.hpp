// Describes a schedule in plain English, so that a user can check its meaning.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>

#include "core/schedule/schedule.hpp"

namespace metrics_refresh::core {

/// For example `at 02:30 on the last Friday of the month, in March and November`, without a capital
/// letter and a full stop. The text contains everything that the schedule says:
/// - the numbers that an `H` stands for;
/// - if both day fields are restricted, that one of them is enough;
/// - whether times follow the clock (schedule.hpp): if so, the times contain an "every", or a note
///   says how an hour that repeats is treated.
std::string describe(const Schedule& schedule);

}  // namespace metrics_refresh::core
