// What is remembered of a view from one refresh to the next: the table view_state.
#pragma once

#include <optional>
#include <string>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

/// Of what the view's last refresh saw: 32 hexadecimal digits, or nothing.
std::optional<std::string> find_fingerprint(pg::Spi& spi, Oid view);

/// Empty: forgets the one there is.
void set_fingerprint(pg::Spi& spi, Oid view, const std::string& fingerprint);

/// True where transactions of this database are prepared and not yet committed or rolled back.
bool has_prepared_transactions(pg::Spi& spi);

}  // namespace metrics_refresh::store
