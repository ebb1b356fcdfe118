// view_status(): every materialized view that the caller may refresh, with the job that refreshes
// it and its freshness.
//
// A view may have several jobs. One of them, its refresher, determines the freshness: a view is
// stale if several due times of its refresher have passed since the last success.
#include "api/monitoring/view_facts.hpp"

#include <algorithm>

#include "api/arguments.hpp"
#include "engine/view/view.hpp"
#include "extension/settings.hpp"
#include "pg/identity.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "store/groups.hpp"
#include "store/timetable.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

struct SeenView {
  Oid oid;
  std::string schema;
  std::string name;
  std::string owner;
  std::optional<std::int64_t> estimated_rows;
};

std::vector<SeenView> read_views(pg::Spi& spi) {
  const pg::Rows rows = spi.query(
      "SELECT c.oid, n.nspname AS schema, c.relname AS name,"
      " pg_get_userbyid(c.relowner)::text AS owner,"
      // reltuples is -1 if the view was never analyzed.
      " CASE WHEN c.reltuples >= 0 THEN c.reltuples::int8 END AS estimated_rows"
      " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
      " WHERE c.relkind = 'm' AND ((SELECT metrics_refresh.is_super_admin())"
      "  OR pg_has_role(c.relowner, 'USAGE')) ORDER BY n.nspname, c.relname");
  std::vector<SeenView> views;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    views.push_back({rows.get_oid(i, "oid"), rows.get_text(i, "schema"), rows.get_text(i, "name"),
                     rows.get_text(i, "owner"), rows.get_int64_or_null(i, "estimated_rows")});
  }
  return views;
}

// The job that keeps a view fresh. Active jobs with a schedule come first, then jobs for the view
// alone before groups, then the oldest job.
struct Refresher {
  store::JobRecord job;
  std::optional<core::Timetable> timetable;
};

bool is_better(const store::JobRecord& a, const store::JobRecord& b) {
  const auto rank = [](const store::JobRecord& job) {
    return (job.active && job.schedule ? 0 : 2) + (job.is_group() ? 1 : 0);
  };
  return std::make_pair(rank(a), a.id) < std::make_pair(rank(b), b.id);
}

std::map<Oid, Refresher> read_refreshers(pg::Spi& spi) {
  std::map<Oid, Refresher> refreshers;
  const auto add = [&refreshers](Oid view, const store::JobRecord& job) {
    if (!OidIsValid(view)) return;
    const auto [known, is_new] = refreshers.try_emplace(view, Refresher{job, std::nullopt});
    if (!is_new && is_better(job, known->second.job)) known->second.job = job;
  };
  for (const store::JobRecord& job : store::load_jobs(spi, store::Reads::kViews)) {
    if (job.one_time) continue;
    if (job.is_refresh()) add(engine::resolve_view(job), job);
    if (!job.is_group()) continue;
    for (const store::Member& member : store::members_of_group(spi, job, store::Reads::kViews))
      add(engine::resolve_view(member), job);
  }
  // Parsed last, for the chosen jobs only.
  for (auto& [view, refresher] : refreshers)
    refresher.timetable = store::timetable_of(refresher.job);
  return refreshers;
}

std::string freshness(const LoggedView& view, const std::optional<core::Instant>& fresh_at,
                      const Refresher* refresher, core::Instant now) {
  if (!view.populated) return "never";
  // A paused job has no due times that could be missed.
  if (refresher == nullptr || !refresher->job.active) return "unmanaged";
  const core::Instant since =
      std::max(refresher->job.effective_from, fresh_at.value_or(core::Instant::min()));
  const int limit = settings::health_stale_warning();
  return due_times_since(refresher->timetable, since, now, limit) >= limit ? "stale" : "fresh";
}

// The size of the view with its indexes and its TOAST table, in bytes. Nothing if another session
// has locked one of them exclusively, or if the view was dropped.
std::optional<std::int64_t> try_size(Oid view) {
  const std::int64_t size = pg::call([view]() -> std::int64_t {
    List* wanted = list_make1_oid(view);
    List* locked = NIL;
    bool all = true;
    // The list grows during the loop: the view adds its indexes and its TOAST table, which adds its
    // own index.
    for (int i = 0; all && i < list_length(wanted); ++i) {
      const Oid oid = list_nth_oid(wanted, i);
      all = ConditionalLockRelationOid(oid, AccessShareLock);
      if (!all) break;
      locked = lappend_oid(locked, oid);
      if (get_rel_relkind(oid) == RELKIND_INDEX) continue;
      Relation relation = try_relation_open(oid, NoLock);
      all = relation != nullptr;
      if (!all) break;
      wanted = list_concat(wanted, RelationGetIndexList(relation));
      if (OidIsValid(relation->rd_rel->reltoastrelid))
        wanted = lappend_oid(wanted, relation->rd_rel->reltoastrelid);
      relation_close(relation, NoLock);
    }
    // This does not wait, because the locks are held.
    const std::int64_t bytes =
        all ? DatumGetInt64(DirectFunctionCall1(pg_total_relation_size, ObjectIdGetDatum(view)))
            : -1;
    ListCell* cell;
    foreach (cell, locked) UnlockRelationOid(lfirst_oid(cell), AccessShareLock);
    return bytes;
  });
  if (size < 0) return std::nullopt;
  return size;
}

Param time_or_null(const std::optional<core::Instant>& time) {
  return Param::nullable(time, TIMESTAMPTZOID);
}

// REQUIRES: `since` is not later than now, unless the clock was set back.
Param age_or_null(const std::optional<core::Instant>& since, core::Instant now) {
  if (!since) return Param::null(INTERVALOID);
  const TimestampTz from = pg::to_timestamptz(*since);
  const TimestampTz to = pg::to_timestamptz(now);
  return Param(INTERVALOID, pg::call([=] {
                 return DirectFunctionCall2(timestamp_mi, TimestampGetDatum(to),
                                            TimestampGetDatum(from));
               }));
}

Param name_param(const std::string& name) {
  const char* text = name.c_str();
  return Param(NAMEOID,
               pg::call([text] { return DirectFunctionCall1(namein, CStringGetDatum(text)); }));
}

Datum view_status(FunctionCallInfo call) {
  SetResult result(call);
  const core::Instant now = pg::now();
  std::vector<SeenView> views;
  std::map<Oid, Refresher> refreshers;
  std::map<Oid, LoggedView> logged;
  const std::map<std::int64_t, core::Instant> fresh = found_fresh();
  pg::in_discarded_subtransaction([&] {
    pg::with_own_sql([&] {
      pg::Spi spi;
      views = read_views(spi);
      refreshers = read_refreshers(spi);
      std::vector<Oid> oids;
      for (const SeenView& view : views) oids.push_back(view.oid);
      logged = logged_views(spi, oids);
    });
  });
  for (const SeenView& view : views) {
    const auto found = logged.find(view.oid);
    // The view was dropped a moment ago.
    if (found == logged.end()) continue;
    const LoggedView& log = found->second;
    const auto known = refreshers.find(view.oid);
    const Refresher* refresher = known == refreshers.end() ? nullptr : &known->second;
    // A run that found the view fresh confirms the last success.
    std::optional<core::Instant> fresh_at = log.last_success;
    if (refresher != nullptr) fresh_at = std::max(fresh_at, find_time(fresh, refresher->job.id));
    std::optional<core::Instant> next_due;
    if (refresher != nullptr && refresher->timetable && refresher->job.active &&
        !refresher->job.suspended)
      next_due = refresher->timetable->next_after(now);
    result.add(
        {name_param(view.schema), name_param(view.name), name_param(view.owner),
         Param(log.populated), Param::nullable(log.rows ? log.rows : view.estimated_rows, INT8OID),
         Param::nullable(try_size(view.oid), INT8OID), time_or_null(log.last_success),
         age_or_null(fresh_at, now), Param::text_or_null(log.last_status),
         Param::text_or_null(log.last_error), Param(freshness(log, fresh_at, refresher, now)),
         refresher == nullptr ? Param::null(TEXTOID) : Param(refresher->job.name),
         time_or_null(next_due)});
  }
  return 0;
}

}  // namespace

MR_SQL_FUNCTION(mr_view_status, view_status);

}  // namespace metrics_refresh::api
