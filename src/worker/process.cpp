#include "worker/process.hpp"

#ifdef __linux__
#include <malloc.h>
#endif

#include <cstring>

#include "pg/compat.hpp"
#include "store/runs.hpp"

namespace metrics_refresh::worker {

namespace {

volatile sig_atomic_t cancel_accepted = false;
volatile sig_atomic_t statement_timed_out = false;

// The server uses the same signal for lock_timeout and statement_timeout. A lock_timeout must work
// even while cancels are ignored, because the transactions of the extension use it.
void on_sigint(SIGNAL_ARGS) {
  if (get_timeout_indicator(STATEMENT_TIMEOUT, false)) statement_timed_out = true;
  if (cancel_accepted || get_timeout_indicator(LOCK_TIMEOUT, false))
    StatementCancelHandler(MR_SIGNAL_ARGS);
}

}  // namespace

void accept_cancel(bool accept) noexcept {
  if (accept) {
    QueryCancelPending = false;
    statement_timed_out = false;
  }
  cancel_accepted = accept;
}

bool exceeded_statement_timeout() noexcept { return statement_timed_out; }

void install_signals() {
  pqsignal(SIGTERM, die);
  pqsignal(SIGINT, on_sigint);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
}

void connect(Oid database) {
  pg::call([=] {
    if (OidIsValid(database))
      BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    else
      BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
  });
  set_process_settings();
}

bool may_be_served(Form_pg_database database) noexcept {
  return database->datallowconn && !database->datistemplate && !database_is_invalid_form(database);
}

namespace {

// The values for the transactions of the extension. transaction_timeout comes last, because setting
// it starts its timer.
constexpr const char* kClients[][2] = {
    {"statement_timeout", "0"},
    {"lock_timeout", "0"},
    {"idle_in_transaction_session_timeout", "0"},
    {"default_transaction_read_only", "off"},
    {"default_transaction_deferrable", "off"},
    {"default_transaction_isolation", "read committed"},
    {"transaction_timeout", "0"},  // from PostgreSQL 17 on
};

bool is_known(const char* setting) { return GetConfigOption(setting, true, false) != nullptr; }

}  // namespace

void set_process_settings() {
  pg::call([] {
    for (const auto& setting : kClients)
      if (is_known(setting[0])) SetConfigOption(setting[0], setting[1], PGC_SUSET, PGC_S_SESSION);
    // PGC_S_OVERRIDE, so that no command can change these. Only later minor versions have the
    // second setting. It would forbid the views that the SQL of the extension reads.
    SetConfigOption("exit_on_error", "off", PGC_SUSET, PGC_S_OVERRIDE);
    static const char kRestricted[] = "restrict_nonsystem_relation_kind";
    if (is_known(kRestricted)) SetConfigOption(kRestricted, "", PGC_SUSET, PGC_S_OVERRIDE);
  });
}

void set_client_settings(int lock_timeout) {
  pg::call([lock_timeout] {
    for (const auto& setting : kClients)
      if (is_known(setting[0]))
        SetConfigOption(setting[0], pstrdup(GetConfigOptionResetString(setting[0])), PGC_SUSET,
                        PGC_S_SESSION);
    if (LockTimeout == 0 || lock_timeout < LockTimeout)
      SetConfigOption("lock_timeout", psprintf("%d", lock_timeout), PGC_SUSET, PGC_S_SESSION);
  });
}

void retain_memory() {
#ifdef __GLIBC__
  constexpr int kRetained = 16 * 1024 * 1024;
  (void)mallopt(M_TRIM_THRESHOLD, kRetained);
#endif
}

BackgroundWorkerHandle* start_process(const Launch& launch) {
  const char* name = launch.name.c_str();
  return pg::call([&launch, name]() -> BackgroundWorkerHandle* {
    BackgroundWorker worker = {};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_notify_pid = MyProcPid;
    worker.bgw_main_arg = launch.argument;
    strlcpy(worker.bgw_name, name, BGW_MAXLEN);
    strlcpy(worker.bgw_type, launch.type, BGW_MAXLEN);
    strlcpy(worker.bgw_library_name, "metrics_refresh", sizeof worker.bgw_library_name);
    strlcpy(worker.bgw_function_name, launch.function, BGW_MAXLEN);
    memcpy(worker.bgw_extra, &launch.extra, sizeof launch.extra);
    MemoryContext const context = MemoryContextSwitchTo(TopMemoryContext);
    BackgroundWorkerHandle* handle = nullptr;
    const bool registered = RegisterDynamicBackgroundWorker(&worker, &handle);
    MemoryContextSwitchTo(context);
    return registered ? handle : nullptr;
  });
}

void remind_postmaster() {
  pg::call([] { SendPostmasterSignal(PMSIGNAL_BACKGROUND_WORKER_CHANGE); });
}

std::uint64_t launch_extra() {
  std::uint64_t extra;
  std::memcpy(&extra, MyBgworkerEntry->bgw_extra, sizeof extra);
  return extra;
}

}  // namespace metrics_refresh::worker
