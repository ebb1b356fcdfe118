#include "core/job_setting.hpp"

#include <algorithm>

namespace metrics_refresh::core {
namespace {

// The hint of each setting says why it is refused, or which option replaces it.
constexpr char kOwner[] = "A job has the rights of its owner: alter_job(job_name, owner => ...).";
constexpr char kLimit[] = "The limit of a run is an option of its own: max_runtime => ...";
constexpr char kLog[] = "It would write to the server's log at every run.";
constexpr char kNoClient[] = "A worker has no client.";
constexpr char kMeaningless[] = "It means nothing for a run.";

// Settings that are refused for jobs. The reasons are: an option of the job exists, the run depends
// on the value, or it would flood the server log.
struct RefusedSetting {
  const char* setting;
  const char* hint;
};

constexpr RefusedSetting kRefusedSettings[] = {
    {"lock_timeout", "It is an option of its own: lock_timeout => ..."},
    {"statement_timeout", kLimit},
    {"transaction_timeout", kLimit},
    {"transaction_isolation", "It is an option of a group: isolation => ..."},
    {"transaction_read_only", "The outcome of a run is logged in its transaction."},
    {"transaction_deferrable", kMeaningless},
    {"default_transaction_isolation",
     "A command can begin a transaction: BEGIN ISOLATION LEVEL ...; ...; COMMIT."},
    {"default_transaction_read_only", "A command can begin a transaction: BEGIN READ ONLY; ..."},
    {"default_transaction_deferrable", kMeaningless},
    {"role", kOwner},
    {"session_authorization", kOwner},
    {"exit_on_error", "It would end the worker at an error, before the error is logged."},
    {"restrict_nonsystem_relation_kind", "The log of runs could not be written."},
    {"client_connection_check_interval", kNoClient},
    {"idle_in_transaction_session_timeout", kNoClient},
    {"idle_session_timeout", kNoClient},
    {"local_preload_libraries", kMeaningless},
    {"debug_print_parse", kLog},
    {"debug_print_rewritten", kLog},
    {"debug_print_raw_parse", kLog},
    {"debug_print_plan", kLog},
    {"trace_notify", kLog},
    {"trace_sort", kLog},
    {"trace_syncscan", kLog},
    {"log_btree_build_stats", kLog},
};

// Names of settings are ASCII, and their letter case does not depend on the locale.
char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

}  // namespace

const char* reason_against_refresh_setting(const std::string& name) {
  std::string word(name);
  std::transform(word.begin(), word.end(), word.begin(), lower);
  // A refresh runs with a fixed path, so this setting would have no effect.
  if (word != "search_path") return nullptr;
  return "A refresh computes with search_path = pg_catalog, pg_temp, as PostgreSQL 17 does: "
         "qualify the names in the view's functions, or give these a path of their own: ALTER "
         "FUNCTION ... SET search_path = ..., pg_temp.";
}

const char* reason_against_job_setting(const std::string& name) {
  std::string word(name);
  std::transform(word.begin(), word.end(), word.begin(), lower);
  for (const RefusedSetting& refused : kRefusedSettings)
    if (word == refused.setting) return refused.hint;
  return nullptr;
}

}  // namespace metrics_refresh::core
