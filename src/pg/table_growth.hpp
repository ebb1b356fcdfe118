// Plans that are kept were made when a table had a certain size. The server makes them anew after
// ANALYZE; until then a table that was nearly empty is read as a whole for every row that is looked
// for in it, however large one transaction has made it.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Has all sessions make their plans over the table anew where it has become twice as large as this
/// process last found it: our statements, those of foreign keys and of triggers alike. A fraction
/// of a microsecond where it has not. REQUIRES: the table is open, in a transaction that writes it.
void replan_where_grown(Relation table);

}  // namespace metrics_refresh::pg
