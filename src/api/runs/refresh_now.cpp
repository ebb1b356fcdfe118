// Refreshes one view for a caller and logs the result. An error is caught by a subtransaction,
// because the row in the log must survive it. Cancellation, and errors that precede the refresh,
// are raised and not logged.
#include "api/runs/refresh_now.hpp"

#include "api/access.hpp"
#include "api/runs/hand_over.hpp"
#include "engine/refresh.hpp"
#include "engine/strategies.hpp"
#include "engine/view/missing_names.hpp"
#include "engine/view/own_jobs.hpp"
#include "engine/view/owner_settings.hpp"
#include "extension/own_schema.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::api {
namespace {

RefreshedNow log(const store::RunHead& head, store::Outcome outcome) {
  std::int64_t run_id = 0;
  extension::as_extension([&](pg::Spi& spi) { run_id = store::log_ended_run(spi, head, outcome); });
  const std::chrono::duration<double, std::milli> duration = pg::now() - head.started;
  return {run_id, std::move(outcome), duration.count()};
}

store::RunHead manual_head(const std::string& schema, const std::string& name, Oid owner) {
  store::RunHead head;
  head.view_schema = schema;
  head.view_name = name;
  head.owner = pg::role_name(owner);
  head.owner_oid = owner;
  head.manual = true;
  head.initiated_by = current_role();
  head.started = pg::now();
  head.worker_pid = MyProcPid;
  return head;
}

// A strategy may need a view that a job has set up. A single refresh does not set it up, so the
// request is checked before a worker is used.
std::optional<store::RunError> reason_against_strategy(const engine::View& view,
                                                       store::Strategy strategy) {
  if (!store::has_trait(strategy, store::kSetUpByJob)) return std::nullopt;
  try {
    (void)engine::choose(view, engine::read_state(view), strategy);
    return std::nullopt;
  } catch (const pg::SqlError&) {
    return store::describe_current_error();
  }
}

}  // namespace

RefreshedNow refresh_now(Oid oid, store::Strategy strategy, const pg::Settings* of_group) {
  const engine::View view = engine::read_view(oid);
  require_refresh_rights(view);
  const store::RunHead head = manual_head(view.schema, view.name, view.owner);
  const store::UsageMeter meter;
  store::Outcome outcome;
  // Without the owner's rights, the caller must not run the definition in its own session
  // (docs/security.md).
  if (!pg::has_rights_of(view.owner)) {
    outcome.error = reason_against_strategy(view, strategy);
    if (!outcome.error) return refresh_in_worker(oid, strategy);
    outcome.status = store::RunStatus::kError;
    return log(head, std::move(outcome));
  }
  const pg::Settings settings =
      of_group != nullptr ? *of_group : engine::settings_of_own_jobs(view).settings;
  try {
    const std::optional<pg::PgError> error = pg::in_subtransaction([&] {
      engine::with_settings_of(view.owner, settings, [&] {
        const engine::Refreshed refreshed =
            engine::refresh_view(oid, strategy, GetUserId(), pg::has_rights_of);
        outcome = engine::to_outcome(refreshed.choice, refreshed.rows);
      });
    });
    if (error) outcome.error = store::describe_error(*error);
  } catch (const pg::SqlError&) {
    outcome.error = store::describe_current_error();
  }
  if (outcome.error) {
    outcome.status = store::RunStatus::kError;
    engine::hint_at_missing_name(*outcome.error, view.owner);
  }
  outcome.usage = meter.so_far();
  return log(head, std::move(outcome));
}

RefreshedNow refresh_of_missing_view(const std::string& schema, const std::string& name) {
  store::Outcome outcome;
  outcome.status = store::RunStatus::kError;
  outcome.error = store::run_error(ERRCODE_UNDEFINED_TABLE,
                                   "materialized view " + schema + "." + name + " does not exist",
                                   "Create it; its scheduled job waits for it.");
  return log(manual_head(schema, name, GetUserId()), std::move(outcome));
}

}  // namespace metrics_refresh::api
