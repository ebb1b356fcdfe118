// The state of a view that is kept from one refresh to the next: the tables view_state and
// skip_alarm.
#pragma once

#include <optional>
#include <string>

#include "pg/spi.hpp"
#include "store/job_members.hpp"
#include "store/reads.hpp"

namespace metrics_refresh::store {

struct ViewMemory {
  // of the inputs of its last refresh: 32 hexadecimal digits
  std::optional<std::string> fingerprint;
  std::string alarm;  // finding of an audit of skipping (the table skip_alarm); empty: none
};
ViewMemory find_memory(pg::Spi& spi, Oid view);

/// Deletes the stored fingerprint if `fingerprint` is empty.
void set_fingerprint(pg::Spi& spi, Oid view, const std::string& fingerprint);

/// The table skip_alarm. The caller of set_alarm() then refreshes the view, and holds a lock on it.
void set_alarm(pg::Spi& spi, const ViewName& name, Oid view, const std::string& found);
/// Stores the name of the view, which a dump needs.
void name_alarm(pg::Spi& spi, const ViewName& name, Oid view);
void clear_alarm(pg::Spi& spi, Oid view);
/// The alarm, if the view has one and the current role may see it; otherwise empty.
std::string find_alarm(pg::Spi& spi, Oid view, Reads reads);

/// True if this database has prepared transactions that are not ended.
bool has_prepared_transactions(pg::Spi& spi);

}  // namespace metrics_refresh::store
