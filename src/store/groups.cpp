// Queries of the tables job_member and group_run_member.
//
// A group's run has three steps. open_group() writes one row for each member, with the numbers of
// the members that it waits for. Workers then move their member from pending to running and to an
// end state. The worker that ends the last member calls take_result(), which deletes the rows and
// returns the totals.
#include "core/scheduler/retry_policy.hpp"

#include "store/groups.hpp"

#include "store/incremental.hpp"

namespace metrics_refresh::store {
namespace {

using pg::Param;

// waits_for is read as int8[]: pg::Rows has a reader for that type only.
constexpr char kMemberColumns[] =
    "m.job_id, m.group_run_id, m.member::int8, m.view_schema, m.view_name, m.view_oid,"
    " m.waits_for::int8[]";

Member read_member(const pg::Rows& rows, std::size_t i) {
  Member member;
  member.job_id = rows.get_int64(i, "job_id");
  member.group_run_id = rows.get_int64(i, "group_run_id");
  member.number = static_cast<int>(rows.get_int64(i, "member"));
  member.view_schema = rows.get_text(i, "view_schema");
  member.view_name = rows.get_text(i, "view_name");
  member.view_oid = rows.get_oid(i, "view_oid");
  for (const std::int64_t number : rows.get_int64_array(i, "waits_for"))
    member.waits_for.push_back(static_cast<int>(number));
  return member;
}

std::vector<Member> read_members(const pg::Rows& rows) {
  std::vector<Member> members;
  for (std::size_t i = 0; i < rows.size(); ++i) members.push_back(read_member(rows, i));
  return members;
}

}  // namespace

// A schema's views and listed views come out of one query. For a given job one of the two branches
// of the union is empty.
std::vector<Member> members_of_group(pg::Spi& spi, const JobRecord& group, Reads reads) {
  const pg::Rows rows = spi.query(
      std::string("SELECT $1 AS job_id, 0::int8 AS group_run_id,"
                  " row_number() OVER (ORDER BY v.view_schema, v.view_name) - 1 AS member,"
                  " v.view_schema, v.view_name, v.view_oid, '{}'::int8[] AS waits_for,"
                  " v.given_schema, v.given_name"
                  " FROM (SELECT view_schema, view_name, view_oid, given_schema, given_name") +
          "  FROM " + read_name(reads, "job_member") +
          " WHERE job_id = $1"
          "  UNION ALL SELECT n.nspname, c.relname, c.oid, NULL, NULL FROM pg_class c"
          "  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $2 AND c.relkind = "
          "'m') v ORDER BY v.view_schema, v.view_name LIMIT $3",
      {group.id, group.group_schema, std::int64_t{kMaxMembers + 1}});
  std::vector<Member> members = read_members(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    members[i].given_schema = rows.get_text_or_empty(i, "given_schema");
    members[i].given_name = rows.get_text_or_empty(i, "given_name");
    members[i].owner_oid = group.owner_oid;
  }
  return members;
}

// FOR NO KEY UPDATE SKIP LOCKED: the row is left alone if another session holds it. A run must not
// wait for a lock that a user can hold. NOT EXISTS prevents a violation of the primary key if the
// group already lists the new name.
void bind_member(pg::Spi& spi, std::int64_t job_id, const Member& before, const Member& now) {
  if (before.view_oid == now.view_oid && before.view() == now.view()) return;
  const auto [given_schema, given_name] = given_name_after(before, now.view_schema, now.view_name);
  const pg::Rows bound = spi.query(
      "UPDATE metrics_refresh_internal.job_member SET view_schema = $4, view_name = $5, view_oid = "
      "$6, given_schema = nullif($7, ''), given_name = nullif($8, '')"
      " WHERE (job_id, view_schema, view_name) = (SELECT job_id, view_schema, view_name"
      "  FROM metrics_refresh_internal.job_member WHERE job_id = $1 AND view_schema = $2 AND "
      "view_name = $3"
      "  FOR NO KEY UPDATE SKIP LOCKED)"
      " AND ($2 = $4 AND $3 = $5 OR NOT EXISTS (SELECT FROM metrics_refresh_internal.job_member"
      "  WHERE job_id = $1 AND view_schema = $4 AND view_name = $5))"
      " RETURNING view_oid",
      {job_id, before.view_schema, before.view_name, now.view_schema, now.view_name,
       Param::oid(now.view_oid), given_schema, given_name});
  // The trigger before_write sets view_oid by name. A second update is needed if that name now
  // belongs to another view (see bind_job() in jobs.cpp).
  const bool is_bound = !bound.empty();
  const bool is_another = is_bound && bound.get_oid(0, "view_oid") != now.view_oid;
  if (is_bound && OidIsValid(before.view_oid) && before.view_oid != now.view_oid)
    queue_sweep_of_view(spi, before.view_oid);
  if (is_another)
    spi.query(
        "UPDATE metrics_refresh_internal.job_member SET view_oid = $4"
        " WHERE job_id = $1 AND view_schema = $2 AND view_name = $3",
        {job_id, now.view_schema, now.view_name, Param::oid(now.view_oid)});
}

// No attempt starts before its due time. The condition on started_at lets the server use the index
// on (job_id, started_at).
std::vector<std::string> refreshed_before(pg::Spi& spi, std::int64_t job_id,
                                          std::int64_t group_run_id) {
  const pg::Rows rows = spi.query(
      "SELECT view_schema || '.' || view_name AS view FROM metrics_refresh_internal.run_log"
      " WHERE status = 'success' AND group_run_id IN (SELECT a.run_id"
      "  FROM metrics_refresh_internal.run_log a JOIN metrics_refresh_internal.run_log b USING "
      "(job_id, due_at)"
      "  WHERE b.run_id = $2 AND a.job_id = $1 AND a.started_at >= b.due_at)",
      {job_id, group_run_id});
  std::vector<std::string> views;
  for (std::size_t i = 0; i < rows.size(); ++i) views.push_back(rows.get_text(i, "view"));
  return views;
}

std::vector<std::pair<int, int>> dependencies(pg::Spi& spi, const std::vector<Oid>& views) {
  const std::vector<std::int64_t> oids(views.begin(), views.end());
  const pg::Rows rows = spi.query(
      "SELECT array_position($1, view_oid::int8)::int8 - 1 AS view,"
      " array_position($1, depends_on_oid::int8)::int8 - 1 AS depends_on"
      " FROM metrics_refresh_internal.view_dependencies"
      " WHERE view_oid::int8 = ANY ($1) AND depends_on_oid::int8 = ANY ($1) LIMIT $2",
      {Param::array(oids), std::int64_t{kMaxDependencies + 1}});
  std::vector<std::pair<int, int>> edges;
  for (std::size_t i = 0; i < rows.size(); ++i)
    edges.emplace_back(static_cast<int>(rows.get_int64(i, "view")),
                       static_cast<int>(rows.get_int64(i, "depends_on")));
  return edges;
}

void open_group(pg::Spi& spi, const std::vector<Member>& members) {
  for (const Member& member : members) {
    const std::vector<std::int64_t> waits_for(member.waits_for.begin(), member.waits_for.end());
    spi.query(
        "INSERT INTO metrics_refresh_internal.group_run_member (group_run_id, member, job_id, "
        "view_schema,"
        " view_name, view_oid, waits_for) VALUES ($1, $2::int4, $3, $4, $5, $6, $7::int4[])",
        {member.group_run_id, member.number, member.job_id, member.view_schema, member.view_name,
         Param::oid(member.view_oid), Param::array(waits_for)});
  }
}

// A group with no pending member is returned too, because its last members may be running.
std::vector<OpenGroup> load_open_groups(pg::Spi& spi) {
  const pg::Rows rows = spi.query(std::string("SELECT ") + kMemberColumns +
                                  ", m.state"
                                  " FROM metrics_refresh_internal.group_run_member m"
                                  " ORDER BY m.group_run_id, m.member");
  std::vector<OpenGroup> groups;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t run = rows.get_int64(i, "group_run_id");
    if (groups.empty() || groups.back().group_run_id != run)
      groups.push_back({rows.get_int64(i, "job_id"), run, {}});
    if (rows.get_text(i, "state") == "pending")
      groups.back().pending.push_back(read_member(rows, i));
  }
  return groups;
}

std::int64_t count_open_members(pg::Spi& spi, Oid owner, Reads reads) {
  return spi
      .query("SELECT count(*) AS members FROM " + read_name(reads, "group_run_member") +
                 " m JOIN " + read_name(reads, "job") + " j USING (job_id) WHERE j.owner_oid = $1",
             {Param::oid(owner)})
      .get_int64(0, "members");
}

bool is_open_group(pg::Spi& spi, std::int64_t run_id) {
  return !spi.query(
                 "SELECT FROM metrics_refresh_internal.group_run_member WHERE group_run_id = $1 "
                 "LIMIT 1",
                 {run_id})
              .empty();
}

// FOR UPDATE: a cancel or the failure of another member must not change the state between this
// check and begin_member().
std::optional<Member> find_pending(pg::Spi& spi, std::int64_t group_run_id, int number) {
  const auto members = read_members(
      spi.query(std::string("SELECT ") + kMemberColumns +
                    " FROM metrics_refresh_internal.group_run_member m WHERE m.group_run_id = $1"
                    " AND m.member = $2 AND m.state = 'pending' FOR UPDATE",
                {group_run_id, number}));
  if (members.empty()) return std::nullopt;
  return members.front();
}

bool may_begin(pg::Spi& spi, const Member& member) {
  return spi
      .query(
          "SELECT FROM metrics_refresh_internal.group_run_member m"
          " JOIN metrics_refresh_internal.group_run_member d USING (group_run_id)"
          " WHERE m.group_run_id = $1 AND m.member = $2 AND d.member = ANY (m.waits_for)"
          " AND d.state <> 'success' LIMIT 1",
          {member.group_run_id, member.number})
      .empty();
}

void begin_member(pg::Spi& spi, const Member& member, std::int64_t run_id) {
  spi.query(
      "UPDATE metrics_refresh_internal.group_run_member SET state = 'running', run_id = $3"
      " WHERE group_run_id = $1 AND member = $2",
      {member.group_run_id, member.number, run_id});
}

std::optional<Member> find_member_of_run(pg::Spi& spi, std::int64_t run_id) {
  const auto members = read_members(
      spi.query(std::string("SELECT ") + kMemberColumns +
                    " FROM metrics_refresh_internal.group_run_member m WHERE m.run_id = $1",
                {run_id}));
  if (members.empty()) return std::nullopt;
  return members.front();
}

// The lock is taken on the row of run_log because that row outlives the plan.
void lock_group(pg::Spi& spi, std::int64_t group_run_id) {
  spi.query("SELECT FROM metrics_refresh_internal.run_log WHERE run_id = $1 FOR NO KEY UPDATE",
            {group_run_id});
}

// If the member failed, all members below it in the dependency graph are skipped in the same
// statement. Example: b waits for a, c waits for b. If a fails, b and c are skipped.
std::vector<Member> end_member(pg::Spi& spi, const Member& member, MemberState state) {
  spi.query(
      "UPDATE metrics_refresh_internal.group_run_member SET state = $3"
      " WHERE group_run_id = $1 AND member = $2",
      {member.group_run_id, member.number, to_text(state)});
  if (state == MemberState::kSuccess) return {};
  return read_members(spi.query(
      std::string("WITH RECURSIVE down AS (SELECT $2::int4 AS member UNION"
                  " SELECT m.member FROM metrics_refresh_internal.group_run_member m"
                  " JOIN down d ON d.member = ANY (m.waits_for)"
                  " WHERE m.group_run_id = $1)"
                  " UPDATE metrics_refresh_internal.group_run_member m SET state = 'skipped'"
                  " FROM down WHERE m.group_run_id = $1 AND m.member = down.member"
                  " AND m.state = 'pending' RETURNING ") +
          kMemberColumns,
      {member.group_run_id, member.number}));
}

void cancel_pending(pg::Spi& spi, std::int64_t group_run_id) {
  spi.query(
      "UPDATE metrics_refresh_internal.group_run_member SET state = 'canceled'"
      " WHERE group_run_id = $1 AND state = 'pending'",
      {group_run_id});
}

// Three queries: totals of the plan, the head of the group's row in the log, and the errors of the
// failed members. Each block ends before the next query, to free its rows.
std::optional<GroupResult> take_result(pg::Spi& spi, std::int64_t group_run_id) {
  GroupResult result;
  {
    const pg::Rows rows = spi.query(
        "SELECT count(*) AS members, count(*) FILTER (WHERE state = 'failed') AS failed,"
        " count(*) FILTER (WHERE state = 'skipped') AS skipped,"
        " count(*) FILTER (WHERE state = 'canceled') AS canceled,"
        " count(*) FILTER (WHERE state IN ('pending', 'running')) AS open,"
        " min(job_id) AS job_id"
        " FROM metrics_refresh_internal.group_run_member WHERE group_run_id = $1",
        {group_run_id});
    // The plan is gone, or a member is still pending or running.
    if (rows.get_int64(0, "members") == 0 || rows.get_int64(0, "open") > 0) return std::nullopt;
    result.members = static_cast<int>(rows.get_int64(0, "members"));
    result.failed = static_cast<int>(rows.get_int64(0, "failed"));
    result.skipped = static_cast<int>(rows.get_int64(0, "skipped"));
    result.canceled = static_cast<int>(rows.get_int64(0, "canceled"));
    result.job_id = rows.get_int64(0, "job_id");
  }
  {
    const pg::Rows rows = spi.query(
        "SELECT coalesce(due_at, started_at) AS due, attempt::int8,"
        " triggered_by = 'manual' AS manual,"
        " (SELECT coalesce(max(m.missed), 0) FROM metrics_refresh_internal.run_log m"
        "  WHERE m.group_run_id = l.run_id) AS missed"
        " FROM metrics_refresh_internal.run_log l WHERE run_id = $1",
        {group_run_id});
    if (!rows.empty()) {
      result.due = rows.get_instant(0, "due");
      result.attempt = static_cast<int>(rows.get_int64(0, "attempt"));
      result.manual = rows.get_bool(0, "manual");
      result.missed = rows.get_int64(0, "missed");
    }
  }
  if (result.failed > 0) {
    const pg::Rows rows = spi.query(
        "SELECT l.view_schema || '.' || l.view_name AS view, l.error_message, l.sqlstate,"
        " l.error_detail, l.error_hint, l.error_context"
        " FROM metrics_refresh_internal.group_run_member m"
        " JOIN metrics_refresh_internal.run_log l ON l.run_id = m.run_id"
        " WHERE m.group_run_id = $1 AND m.state = 'failed' ORDER BY l.finished_at, l.run_id",
        {group_run_id});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      result.failed_views.push_back(rows.get_text(i, "view"));
      const RunError error = {
          rows.get_text_or_empty(i, "error_message"), rows.get_text_or_empty(i, "sqlstate"),
          rows.get_text_or_empty(i, "error_detail"), rows.get_text_or_empty(i, "error_hint"),
          rows.get_text_or_empty(i, "error_context")};
      if (!result.first_error) result.first_error = error;
      // One permanent error makes the result permanent: a retry would fail again.
      if (!error.sqlstate.empty() && !core::is_transient(error.sqlstate)) result.permanent = true;
    }
  }
  spi.query("DELETE FROM metrics_refresh_internal.group_run_member WHERE group_run_id = $1",
            {group_run_id});
  return result;
}

GroupHead head_of_group(pg::Spi& spi, std::int64_t group_run_id) {
  const pg::Rows rows = spi.query(
      "SELECT job_name, initiated_by, attempt::int8"
      " FROM metrics_refresh_internal.run_log WHERE run_id = $1",
      {group_run_id});
  if (rows.empty()) return {};
  return {rows.get_text_or_empty(0, "job_name"), !rows.is_null(0, "initiated_by"),
          rows.get_text_or_empty(0, "initiated_by"),
          static_cast<int>(rows.get_int64(0, "attempt"))};
}

}  // namespace metrics_refresh::store
