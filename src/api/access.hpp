// Finding a job and deciding whether the caller may touch it: the rule that the row-level security
// of the table job says for reading, said once for the functions that change something.
#pragma once

#include <string>

#include "engine/view/view.hpp"
#include "store/job_names.hpp"

namespace metrics_refresh::api {

/// A super admin may manage every job; others those they own and those of their own views.
bool may_manage(const store::JobKey& job);

/// Whether this is the number of a job in place of its name: digits, and nothing else.
bool is_job_id(const std::string& name);

/// The job that the caller means by a name: the caller's own, else the one that he may manage. If
/// no job has the name, it may be that of a view, with its schema or without, that one job of those
/// that he may manage refreshes. Nothing if there is none either. Throws SqlError 42501, naming
/// what is missing, where he may manage none of that name, and 42P09 where he may manage several
/// and owns none of them.
std::optional<std::int64_t> find_managed(const std::string& name);

/// The same job, whole. Throws SqlError 42704 where there is none.
store::JobRecord managed_job(const std::string& name);

[[noreturn]] void refuse_missing_job(const std::string& name);

/// Throws SqlError 42501 unless the caller may have this view refreshed.
void require_refresh_rights(const engine::View& view);

/// Throws SqlError 42501 unless the caller may execute schedule_command(), and so write commands.
void require_right_to_commands();

/// On whose behalf the caller has the view refreshed: the caller where that is enough, else, for a
/// super admin without rights over the view, its owner.
Oid refresher(const engine::View& view);

/// The name of the current role.
std::string current_role();

/// Runs `body(spi)` with the extension's own rights.
template <typename Body>
void with_tables(Body&& body);

}  // namespace metrics_refresh::api

#include "pg/identity.hpp"

namespace metrics_refresh::api {

template <typename Body>
void with_tables(Body&& body) {
  pg::as_extension([&body] {
    pg::Spi spi;
    body(spi);
  });
}

}  // namespace metrics_refresh::api
