// Runs a statement that defines an object, on behalf of the owner of the object. To parse such a
// statement the server may run code of that role. Examples are the checks of a domain in a constant
// and the validator of a language. Therefore it runs as the role, in a security-restricted
// operation, with a fixed search_path. Event triggers fire as for any statement of the session: as
// the current user and with the settings of the session.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Runs one statement as `role`: CREATE FUNCTION, CREATE VIEW, a rename, GRANT or REVOKE. Throws
/// SqlError 0A000 for any other statement, and PgError.
void run_definition(const std::string& statement, Oid role);

/// The same for CREATE OR REPLACE FUNCTION or VIEW only. Bodies are not checked.
void restore_definition(const std::string& statement, Oid role);

/// The reason why the role could not run these statements one after the other, or empty. All
/// effects are rolled back, and no event trigger fires. A cancellation is passed on.
std::string reason_against_definitions(const std::vector<std::string>& statements, Oid role);

}  // namespace metrics_refresh::pg
