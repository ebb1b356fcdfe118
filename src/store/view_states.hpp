// What is remembered of a view from one refresh to the next: the tables view_state and skip_alarm.
#pragma once

#include <optional>
#include <string>

#include "pg/spi.hpp"
#include "store/reads.hpp"

namespace metrics_refresh::store {

struct ViewMemory {
  std::optional<std::string> fingerprint;  // of what its last refresh saw: 32 hexadecimal digits
  std::string alarm;  // what an audit of skipping found (the table skip_alarm); empty: nothing
};
ViewMemory find_memory(pg::Spi& spi, Oid view);

/// Empty: forgets the one there is.
void set_fingerprint(pg::Spi& spi, Oid view, const std::string& fingerprint);

/// The table skip_alarm. Whoever sets it goes on to refresh the view, and holds its lock.
void set_alarm(pg::Spi& spi, Oid view, const std::string& found);
void clear_alarm(pg::Spi& spi, Oid view);
/// What is to be seen of it: empty where there is none.
std::string find_alarm(pg::Spi& spi, Oid view, Reads reads);

/// True where transactions of this database are prepared and not yet committed or rolled back.
bool has_prepared_transactions(pg::Spi& spi);

}  // namespace metrics_refresh::store
