// Saved plans were made for a certain size of a table. The server makes new ones after ANALYZE.
// Until then, a plan made for a nearly empty table reads the whole table for each row that it looks
// up. One transaction may have filled the table in the meantime.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Makes all sessions plan again if the table has doubled in size since this process last looked.
/// This includes plans of foreign keys and triggers. If it has not, the call takes a fraction of a
/// microsecond. REQUIRES: the table is open, in a transaction that writes to it.
void replan_if_grown(Relation table);

}  // namespace metrics_refresh::pg
