// Which errors go away by themselves. A transient one says nothing about the job; a permanent one
// will come again until somebody mends its cause.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string_view>

namespace metrics_refresh::core {

/// True for the SQLSTATEs (five characters) of conflicts, lock and time limits, lacking resources,
/// lost connections, operator intervention and I/O: classes 08, 40, 53, 57, 58 and the codes 25P03,
/// 25P04 and 55P03 of PostgreSQL's appendix A. False for everything else.
bool is_transient(std::string_view sqlstate);

}  // namespace metrics_refresh::core
