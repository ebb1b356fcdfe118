// schedule, schedule_command, alter_job, unschedule, pause, resume.
#include "api/access.hpp"
#include "api/arguments.hpp"
#include "api/schedule_text.hpp"
#include "engine/choose.hpp"
#include "pg/privilege.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;
using store::Columns;

Param nullable_text(const std::optional<std::string>& text) {
  return Param::nullable(text, TEXTOID);
}

// max_runtime or lock_timeout: what the server's own timeouts can hold, in milliseconds.
Param time_limit(const Arguments& arguments, int n, const char* name) {
  constexpr double kMillisecond = 1000;
  constexpr double kDay = 24 * 3600 * 1000 * kMillisecond;
  const auto* value = reinterpret_cast<const Interval*>(DatumGetPointer(arguments.datum(n)));
  const double length =
      (30.0 * value->month + value->day) * kDay + static_cast<double>(value->time);
  if (length < kMillisecond || length > 24 * kDay)
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       std::string(name) + " must be between 1 millisecond and 24 days");
  return Param(INTERVALOID, arguments.datum(n));
}

std::string known_on_missed(const std::string& word) {
  if (word == "once" || word == "skip") return word;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "on_missed \"" + word + "\" is not known",
                     "Allowed are once and skip.");
}

// The columns that schedule() and schedule_command() share, from argument `first` on: active,
// max_runtime, lock_timeout, on_missed.
void add_options(const Arguments& arguments, int first, Columns& columns) {
  columns.emplace_back("active", Arguments::required(arguments.get_bool(first), "active"));
  static const char* const kIntervals[] = {"max_runtime", "lock_timeout"};
  for (int i = 0; i < 2; ++i) {
    if (arguments.is_null(first + 1 + i)) (void)Arguments::required<bool>({}, kIntervals[i]);
    columns.emplace_back(kIntervals[i], time_limit(arguments, first + 1 + i, kIntervals[i]));
  }
  columns.emplace_back("on_missed", known_on_missed(Arguments::required(
                                        arguments.get_text(first + 3), "on_missed")));
}

// The job of this name, which the caller may manage, as it stays until the transaction ends: what
// is decided about it must still be so when it is written, and it must still be there.
store::JobRecord locked_job(const std::string& name) {
  with_tables([&](pg::Spi& spi) { store::lock_job(spi, name); });
  return managed_job(name);
}

// Writes the job of this name, in place of one that exists and that the caller may manage.
std::int64_t put_job(const std::string& name, Columns columns) {
  if (name.empty())
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "job_name must not be empty");
  // Where another session has just made one of this name, that one is replaced.
  for (;;) {
    bool exists = false;
    with_tables([&](pg::Spi& spi) {
      store::lock_job(spi, name);
      exists = store::find_job(spi, name).has_value();
    });
    if (exists) break;
    Columns row = columns;
    row.emplace_back("job_name", name);
    std::optional<std::int64_t> id;
    with_tables([&](pg::Spi& spi) { id = store::insert_job(spi, row); });
    if (id) return *id;
  }
  const store::JobRecord job = managed_job(name);
  with_tables([&](pg::Spi& spi) { store::update_job(spi, job.id, columns, true); });
  return job.id;
}

Datum schedule(FunctionCallInfo call) {
  const Arguments arguments(call);
  const engine::View view =
      engine::read_view(Arguments::required(arguments.get_oid(0), "view_name"));
  require_refresh_rights(view);
  const std::string strategy = Arguments::required(arguments.get_text(4), "strategy");
  (void)engine::parse_requested(strategy);
  check_times(arguments.get_text(1), arguments.get_text(3));
  Columns columns = {{"view_schema", view.schema},
                     {"view_name", view.name},
                     {"command", Param::null(TEXTOID)},
                     {"schedule", nullable_text(arguments.get_text(1))},
                     {"timezone", nullable_text(arguments.get_text(3))},
                     {"strategy", strategy},
                     {"owner", pg::role_name(refresher(view))},
                     {"owner_oid", Param::oid(refresher(view))}};
  add_options(arguments, 5, columns);
  return Int64GetDatum(
      put_job(arguments.get_text(2).value_or(engine::qualified_name(view.schema, view.name)),
              std::move(columns)));
}

Datum schedule_command(FunctionCallInfo call) {
  const Arguments arguments(call);
  const std::string command = Arguments::required(arguments.get_text(2), "command");
  if (command.find_first_not_of(" \t\r\n;") == std::string::npos)
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "command must not be empty");
  check_times(arguments.get_text(1), arguments.get_text(3));
  Columns columns = {{"view_schema", Param::null(NAMEOID)},
                     {"view_name", Param::null(NAMEOID)},
                     {"command", command},
                     {"schedule", nullable_text(arguments.get_text(1))},
                     {"timezone", nullable_text(arguments.get_text(3))},
                     // A command runs as whoever wrote it, never as an earlier owner of the job.
                     {"owner", current_role()},
                     {"owner_oid", Param::oid(GetUserId())}};
  add_options(arguments, 4, columns);
  return Int64GetDatum(
      put_job(Arguments::required(arguments.get_text(0), "job_name"), std::move(columns)));
}

// A command runs with all rights of its owner, so only one who has those may hand it over. A
// refresh computes as the owner of the view whoever owns the job.
void require_may_give_to(const store::JobRecord& job, const std::string& owner) {
  const Oid role = pg::role_oid(owner);
  if (!OidIsValid(role))
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "role \"" + owner + "\" does not exist");
  pg::require_super_admin("changing the owner of a job");
  if (!job.is_refresh() && !pg::has_rights_of(role))
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be member of role \"" + owner + "\"",
                       "A command runs with all rights of its owner.");
}

Datum alter_job(FunctionCallInfo call) {
  const Arguments arguments(call);
  // Another session may be turning the refresh that is being given away into a command.
  const store::JobRecord job = locked_job(Arguments::required(arguments.get_text(0), "job_name"));
  check_times(arguments.get_text(1), arguments.get_text(2));
  Columns columns;
  const auto change = [&](const char* name, const std::optional<std::string>& value) {
    if (value) columns.emplace_back(name, *value);
  };
  change("schedule", arguments.get_text(1));
  change("timezone", arguments.get_text(2));
  if (const auto active = arguments.get_bool(3)) columns.emplace_back("active", *active);
  const bool reschedules = !columns.empty();
  if (const auto strategy = arguments.get_text(4)) {
    (void)engine::parse_requested(*strategy);
    if (!job.is_refresh())
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                         "job \"" + job.name + "\" runs a command and has no strategy");
    change("strategy", strategy);
  }
  if (!arguments.is_null(5))
    columns.emplace_back("max_runtime", time_limit(arguments, 5, "max_runtime"));
  if (!arguments.is_null(6))
    columns.emplace_back("lock_timeout", time_limit(arguments, 6, "lock_timeout"));
  if (const auto on_missed = arguments.get_text(7))
    columns.emplace_back("on_missed", known_on_missed(*on_missed));
  if (const auto owner = arguments.get_name(8)) {
    require_may_give_to(job, *owner);
    change("owner", owner);
    // Also where the name stays: it may be another role's by now.
    columns.emplace_back("owner_oid", Param::oid(pg::role_oid(*owner)));
  }
  with_tables([&](pg::Spi& spi) { store::update_job(spi, job.id, columns, reschedules); });
  return 0;
}

Datum unschedule(FunctionCallInfo call) {
  const std::string name = Arguments::required(Arguments(call).get_text(0), "job_name");
  bool exists = false;
  with_tables([&](pg::Spi& spi) {
    store::lock_job(spi, name);
    exists = store::find_job(spi, name).has_value();
  });
  if (!exists) return BoolGetDatum(false);
  const store::JobRecord job = managed_job(name);
  with_tables([&](pg::Spi& spi) { store::delete_job(spi, job); });
  return BoolGetDatum(true);
}

Datum set_active(FunctionCallInfo call, bool active) {
  const store::JobRecord job =
      locked_job(Arguments::required(Arguments(call).get_text(0), "job_name"));
  with_tables([&](pg::Spi& spi) { store::update_job(spi, job.id, {{"active", active}}, active); });
  return 0;
}

}  // namespace
}  // namespace metrics_refresh::api

extern "C" {
MR_SQL_FUNCTION(mr_schedule);
MR_SQL_FUNCTION(mr_schedule_command);
MR_SQL_FUNCTION(mr_alter_job);
MR_SQL_FUNCTION(mr_unschedule);
MR_SQL_FUNCTION(mr_pause);
MR_SQL_FUNCTION(mr_resume);

Datum mr_schedule(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary([&] { return metrics_refresh::api::schedule(fcinfo); });
}
Datum mr_schedule_command(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary(
      [&] { return metrics_refresh::api::schedule_command(fcinfo); });
}
Datum mr_alter_job(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary([&] { return metrics_refresh::api::alter_job(fcinfo); });
}
Datum mr_unschedule(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary([&] { return metrics_refresh::api::unschedule(fcinfo); });
}
Datum mr_pause(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary(
      [&] { return metrics_refresh::api::set_active(fcinfo, false); });
}
Datum mr_resume(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary(
      [&] { return metrics_refresh::api::set_active(fcinfo, true); });
}
}
