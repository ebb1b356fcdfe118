// Queries of the table job_type.
#include "store/queue/job_types.hpp"

#include "core/text.hpp"
#include "pg/role.hpp"

namespace metrics_refresh::store::queue {
namespace {

constexpr char kColumns[] =
    "SELECT id::int8, name, mode, coalesce(handler_schema, '') AS handler_schema,"
    " coalesce(handler_name, '') AS handler_name, coalesce(handler_owner, '') AS handler_owner,"
    " passes_id, handler_oid, handler_owner_oid, owner,"
    " owner_oid, max_attempts::int8, (extract(epoch FROM backoff) * 1000000)::int8 AS backoff,"
    " (extract(epoch FROM max_backoff) * 1000000)::int8 AS max_backoff,"
    " (extract(epoch FROM timeout) * 1000000)::int8 AS timeout,"
    " coalesce(concurrency, 0)::int8 AS concurrency,"
    " coalesce(concurrency_per_key, 0)::int8 AS concurrency_per_key,"
    " coalesce(rate_limit, 0)::int8 AS rate_limit,"
    " (extract(epoch FROM rate_period) * 1000000)::int8 AS rate_period, priority::int8, paused"
    " FROM metrics_refresh_internal.job_type";

std::vector<JobType> read_types(const pg::Rows& rows) {
  std::vector<JobType> types;
  types.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    JobType type;
    const auto number = [&](const char* column) {
      return static_cast<int>(rows.get_int64(i, column));
    };
    const auto duration = [&](const char* column) {
      return core::Duration(rows.get_int64(i, column));
    };
    type.id = number("id");
    type.name = rows.get_text(i, "name");
    type.mode = from_column<JobMode>(rows.get_text(i, "mode"));
    type.handler.schema = rows.get_text(i, "handler_schema");
    type.handler.name = rows.get_text(i, "handler_name");
    type.handler.owner_name = rows.get_text(i, "handler_owner");
    type.handler.passes_id = rows.get_bool(i, "passes_id");
    type.handler.oid = rows.get_oid(i, "handler_oid");
    type.handler.function_owner = rows.get_oid(i, "handler_owner_oid");
    type.owner = rows.get_text(i, "owner");
    type.owner_oid = rows.get_oid(i, "owner_oid");
    type.max_attempts = number("max_attempts");
    type.backoff = duration("backoff");
    type.max_backoff = duration("max_backoff");
    type.timeout = duration("timeout");
    type.concurrency = number("concurrency");
    type.concurrency_per_key = number("concurrency_per_key");
    type.rate_limit = number("rate_limit");
    type.rate_period = duration("rate_period");
    type.priority = number("priority");
    type.paused = rows.get_bool(i, "paused");
    types.push_back(std::move(type));
  }
  return types;
}

std::optional<JobType> first_or_nothing(std::vector<JobType> types) {
  if (types.empty()) return std::nullopt;
  return std::move(types.front());
}

}  // namespace

Oid JobType::find_function() const {
  const HandlerName bound = handler.bound_for(owner_oid);
  return pg::call([&bound] { return find_handler(bound); });
}

std::vector<JobType> load_job_types(pg::Spi& spi) {
  return read_types(spi.query(std::string(kColumns) + " ORDER BY id"));
}

std::optional<JobType> find_job_type(pg::Spi& spi, const std::string& name) {
  return first_or_nothing(
      read_types(spi.query(std::string(kColumns) + " WHERE name = $1", {name})));
}

std::optional<JobType> find_job_type(pg::Spi& spi, int id) {
  return first_or_nothing(
      read_types(spi.query(std::string(kColumns) + " WHERE id = $1::int4", {id})));
}

std::optional<JobType> find_latest_job_type(pg::Spi& spi, const std::string& name) {
  return first_or_nothing(
      read_types(spi.query_latest(std::string(kColumns) + " WHERE name = $1", {name})));
}

void lock_job_type(pg::Spi& spi, int id) {
  spi.query("SELECT FROM metrics_refresh_internal.job_type WHERE id = $1::int4 FOR NO KEY UPDATE",
            {id});
}

void insert_job_type(pg::Spi& spi, const Columns& columns) {
  std::string names;
  std::string values;
  std::vector<pg::Param> params;
  for (const auto& [name, param] : columns) {
    params.push_back(param);
    core::append_item(names, name);
    core::append_item(values, "$" + std::to_string(params.size()));
  }
  spi.query("INSERT INTO metrics_refresh_internal.job_type (" + names + ") VALUES (" + values + ")",
            params);
}

void update_job_type(pg::Spi& spi, int id, const Columns& columns) {
  if (columns.empty()) return;
  std::string assignments;
  std::vector<pg::Param> params{id};
  for (const auto& [name, param] : columns) {
    params.push_back(param);
    core::append_item(assignments, std::string(name) + " = $" + std::to_string(params.size()));
  }
  spi.query("UPDATE metrics_refresh_internal.job_type SET " + assignments + " WHERE id = $1::int4",
            params);
}

void delete_job_type(pg::Spi& spi, int id) {
  spi.query("DELETE FROM metrics_refresh_internal.job_type WHERE id = $1::int4", {id});
}

std::vector<std::int64_t> visible_types(pg::Spi& spi) {
  const pg::Rows rows =
      spi.query("SELECT type_id::int8 FROM metrics_refresh.job_types ORDER BY type_id");
  std::vector<std::int64_t> types;
  for (std::size_t i = 0; i < rows.size(); ++i) types.push_back(rows.get_int64(i, "type_id"));
  return types;
}

std::vector<std::pair<std::int64_t, std::string>> visible_type_names(pg::Spi& spi) {
  const pg::Rows rows =
      spi.query("SELECT type_id::int8, type FROM metrics_refresh.job_types ORDER BY type");
  std::vector<std::pair<std::int64_t, std::string>> types;
  for (std::size_t i = 0; i < rows.size(); ++i)
    types.emplace_back(rows.get_int64(i, "type_id"), rows.get_text(i, "type"));
  return types;
}

bool has_open_jobs(pg::Spi& spi, int type) {
  return spi
      .query(
          "SELECT EXISTS (SELECT FROM metrics_refresh_internal.queue_later WHERE type_id = $1)"
          " OR EXISTS (SELECT FROM metrics_refresh_internal.queue_hot h WHERE h.type_id = $1"
          " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.queue_ended e"
          " WHERE e.id = h.id AND e.version = h.version)) AS has_jobs",
          {type})
      .get_bool(0, "has_jobs");
}

std::vector<std::string> type_names_like(pg::Spi& spi, const std::string& name) {
  const pg::Rows rows = spi.query(
      "SELECT type FROM metrics_refresh.job_types"
      " WHERE lower(left(type, 1)) = lower(left($1, 1))"
      " OR lower(right(type, 2)) = lower(right($1, 2))"
      " ORDER BY abs(length(type) - length($1)), type LIMIT 1000",
      {name});
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rows.size(); ++i) names.push_back(rows.get_text(i, "type"));
  return names;
}

std::vector<std::int64_t> existing_types(pg::Spi& spi, const std::vector<std::int64_t>& types) {
  const pg::Rows rows =
      spi.query_latest("SELECT id::int8 FROM metrics_refresh_internal.job_type WHERE id = ANY ($1)",
                       {pg::Param::array(types)});
  std::vector<std::int64_t> found;
  for (std::size_t i = 0; i < rows.size(); ++i) found.push_back(rows.get_int64(i, "id"));
  return found;
}

bool follow_handlers(pg::Spi& spi) {
  bool done = true;
  for (const JobType& type : load_job_types(spi)) {
    const Oid function = type.find_function();
    // A type whose handler is missing remembers its name.
    if (!OidIsValid(function)) continue;
    const HandlerShape shape = pg::call([function] { return shape_of_handler(function); });
    if (shape.reason != NoHandler::kNone) continue;
    if (function == type.handler.oid && shape.owner == type.handler.function_owner &&
        type.handler.schema == shape.schema && type.handler.name == shape.name &&
        type.handler.owner_name == pg::role_name(shape.owner))
      continue;
    const pg::Rows written = spi.query(
        "UPDATE metrics_refresh_internal.job_type SET handler_schema = $2, handler_name = $3,"
        " handler_owner = $4, handler_oid = $5, handler_owner_oid = $6 WHERE id ="
        " (SELECT id FROM metrics_refresh_internal.job_type WHERE id = $1::int4"
        " AND handler_oid = $7 FOR NO KEY UPDATE SKIP LOCKED) RETURNING id::int8",
        {type.id, shape.schema, shape.name, pg::role_name(shape.owner), pg::Param::oid(function),
         pg::Param::oid(shape.owner), pg::Param::oid(type.handler.oid)});
    done = done && !written.empty();
  }
  return done;
}

}  // namespace metrics_refresh::store::queue
