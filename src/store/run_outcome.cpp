// The resources that a run consumed and the error that ended it, in the form of the log. Usage is
// the difference of two readings of the counters that the server keeps for this process.
#include <sys/resource.h>

#include "store/runs.hpp"

namespace metrics_refresh::store {
namespace {

std::string text(const char* value) { return value != nullptr ? value : ""; }

std::string sqlstate_text(int code) { return std::string(unpack_sql_state(code), 5); }

double milliseconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) * 1000.0 + static_cast<double>(t.tv_usec) / 1000.0;
}

}  // namespace

RunError describe_error(const pg::PgError& error) {
  const ErrorData& data = error.data();
  return {error.what(),       sqlstate_text(data.sqlerrcode), text(data.detail), text(data.hint),
          text(data.context), text(data.internalquery)};
}

RunError describe_current_error() {
  try {
    // Rethrows the exception that the caller handles, to get at its type. The other way would be
    // one catch block for each type in each caller.
    throw;
  } catch (const pg::PgError& error) {
    return describe_error(error);
  } catch (const pg::SqlError& error) {
    return {error.what(), sqlstate_text(error.sqlstate()), error.detail(), error.hint(), ""};
  } catch (const std::exception& error) {
    return {error.what(), sqlstate_text(ERRCODE_INTERNAL_ERROR), "", "", ""};
  }
}

Usage UsageMeter::total() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return {static_cast<std::int64_t>(pgWalUsage.wal_bytes), pgBufferUsage.shared_blks_hit,
          pgBufferUsage.shared_blks_read,
          milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)};
}

Usage UsageMeter::so_far() const {
  const Usage now = total();
  return {now.wal_bytes - start_.wal_bytes, now.buffers_hit - start_.buffers_hit,
          now.buffers_read - start_.buffers_read, now.cpu_ms - start_.cpu_ms};
}

}  // namespace metrics_refresh::store
