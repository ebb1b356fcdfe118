// A statement of ours that defines something, on behalf of the role whose object it is. To read the
// statement the server may run code of that role's: checks of a domain within a constant, the
// validator of a language. So it is done as the role, in a security-restricted operation, with a
// fixed search_path. Event triggers hear of it as of any statement of the session: they run as the
// current user, with the session's settings.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Runs one statement as `role`: CREATE FUNCTION, CREATE VIEW, a renaming, GRANT or REVOKE. Throws
/// SqlError 0A000 for any other, and PgError.
void run_definition(const std::string& statement, Oid role);

/// The same of CREATE OR REPLACE FUNCTION or VIEW alone, of which no body is read.
void restore_definition(const std::string& statement, Oid role);

/// Why the role could not run these one after the other, or empty. Nothing is left of it, and no
/// event trigger hears of it. A cancel keeps flying.
std::string problem_of_definitions(const std::vector<std::string>& statements, Oid role);

}  // namespace metrics_refresh::pg
