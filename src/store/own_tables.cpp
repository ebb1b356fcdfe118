#include "store/own_tables.hpp"

namespace metrics_refresh::store {

// The same fields as the server writes for an error that it reports itself.
void log_current_exception(const char* doing) {
  const RunError error = describe_current_error();
  pg::call([&error, doing] {
    const char* const code = error.sqlstate.c_str();
    const char* const detail = pg::c_str_or_null(error.detail);
    const char* const hint = pg::c_str_or_null(error.hint);
    const char* const context = pg::c_str_or_null(error.context);
    const char* const query = pg::c_str_or_null(error.query);
    ereport(LOG, errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])),
            errmsg("metrics_refresh: %s: %s", doing, error.message.c_str()),
            detail != nullptr ? errdetail_internal("%s", detail) : 0,
            hint != nullptr ? errhint("%s", hint) : 0,
            context != nullptr ? errcontext("%s", context) : 0,
            query != nullptr ? internalerrquery(query) : 0);
  });
}

Attempt failed_attempt(const char* doing, RunError* error) {
  const RunError found = describe_current_error();
  log_current_exception(doing);
  if (error != nullptr) *error = found;
  return core::is_transient(found.sqlstate) ? Attempt::kLater : Attempt::kFailed;
}

}  // namespace metrics_refresh::store
