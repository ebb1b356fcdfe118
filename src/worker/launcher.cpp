// The launcher starts schedulers on demand.
//
// An idle scheduler would keep a connection to its database all day, and would block DROP DATABASE.
// Therefore a scheduler exits if nothing is due for a while. Shared memory holds the time at which
// it is needed again. After a start of the server these times are unknown, so a scheduler is
// started once in every database. If the database does not have the extension, its entry is
// removed.
//
// A new scheduler reports by shmem::attach_scheduler(). The launcher follows the processes that
// have not reported yet. If one exits without a report, the next start in its database is delayed.
//
// It nearly always sleeps, so it also flushes the log for workers that cannot do so in time
// (queue/flush_policy.hpp).
#include "worker/launcher.hpp"

#include <algorithm>

#include "pg/job_transaction.hpp"
#include "pg/sleeper.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "shmem/prepared_news.hpp"
#include "shmem/queue/crashed_jobs.hpp"
#include "shmem/server_settings.hpp"
#include "shmem/shmem.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {
namespace {

using core::Instant;

// A scheduler needs less than this to start, connect and read its jobs.
constexpr core::Duration kLead = std::chrono::milliseconds(500);
// If the server has no free worker slot, the start is tried again after this time. The server does
// not report free slots.
constexpr core::Duration kRetry = std::chrono::seconds(1);
// The number of schedulers that may be starting at the same time, to limit the load at server
// start.
constexpr int kLooksAtOnce = 4;

void on_exit(int, Datum) { shmem::detach_launcher(); }

// False also for a database that an interrupted DROP DATABASE left behind.
bool can_be_entered(Form_pg_database database) {
  return database->datallowconn && !database_is_invalid_form(database);
}

std::vector<Oid> connectable_databases() {
  std::vector<Oid> databases;
  pg::in_transaction([&] {
    // The vector must not grow inside pg::call(). If there are more databases, post_changes()
    // issues a warning when their changes are posted.
    databases.resize(static_cast<std::size_t>(shmem::max_databases()));
    const int found = pg::call([&databases] {
      int count = 0;
      Relation relation = table_open(DatabaseRelationId, AccessShareLock);
      TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
      HeapTuple tuple;
      while ((tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr) {
        const auto database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
        if (!may_be_served(database)) continue;
        if (count < static_cast<int>(databases.size())) databases.data()[count++] = database->oid;
      }
      table_endscan(scan);
      table_close(relation, AccessShareLock);
      return count;
    });
    databases.resize(static_cast<std::size_t>(found));
  });
  return databases;
}

// Sessions read the published settings if a role or client has set other values for them.
void publish_settings() {
  pg::in_transaction([] { shmem::publish_server_settings(); });
}

class Launcher {
 public:
  void run() {
    pg::call([] { shmem::record_server_start(); });
    shmem::queue::take_claims_file();  // schedulers need it, and only this process starts them
    shmem::clear_starts();
    publish_settings();
    look_into_all();
    Instant before = pg::now();
    for (;;) {
      if (shmem::take_flush_request()) pg::flush_log();
      follow_starts();
      const Instant now = pg::now();
      // If the clock was set back, the published due times are too far ahead.
      if (now < before) {
        shmem::want_all();
        remind_at_ = now;
      }
      before = now;
      if (shmem::take_all_databases()) look_into_all();
      std::optional<Instant> wake_up = start_schedulers(now);
      if (!starting_.empty()) {
        if (remind_at_ <= now) {
          remind_postmaster();
          remind_at_ = now + kRetry;
        }
        if (!wake_up || remind_at_ < *wake_up) wake_up = remind_at_;
      }
      if (sleeper_.sleep_until(wake_up)) publish_settings();
    }
  }

 private:
  static void look_into_all() {
    for (const Oid database : connectable_databases())
      pg::call([database] { shmem::post_changes(database, nullptr, 0); });
  }

  struct Starting {
    Oid database;
    BackgroundWorkerHandle* handle;
  };

  // Starts the schedulers that are needed now. Returns the time of the next check, unless the latch
  // is set before.
  std::optional<Instant> start_schedulers(Instant now) {
    while (starting_.size() < kLooksAtOnce) {  // the report of one sets the latch
      const shmem::NeedOfScheduler need =
          shmem::claim_start(pg::to_timestamptz(now), kLead.count());
      if (!OidIsValid(need.database)) {
        if (need.look_again == shmem::kNever) return std::nullopt;
        return pg::to_instant(need.look_again);
      }
      BackgroundWorkerHandle* const handle =
          start_process({"mr_scheduler_main",
                         "metrics_refresh scheduler for database " + std::to_string(need.database),
                         "metrics_refresh scheduler", ObjectIdGetDatum(need.database), 0});
      if (handle == nullptr) {
        shmem::release_start(need.database);
        return now + kRetry;
      }
      if (starting_.empty()) remind_at_ = now + kRetry;
      starting_.push_back({need.database, handle});
    }
    return std::nullopt;
  }

  // Forgets the schedulers that have reported. If one ended without a report, it could not connect:
  // the database was dropped, or the server lacks a resource. It is then started again with growing
  // delays.
  void follow_starts() {
    const auto over = [](const Starting& start) {
      BackgroundWorkerHandle* const handle = start.handle;
      const Oid database = start.database;
      pid_t pid;
      const BgwHandleStatus status =
          pg::call([handle, &pid] { return GetBackgroundWorkerPid(handle, &pid); });
      const bool silent = shmem::is_starting(database);
      if (silent && status != BGWH_STOPPED) return false;
      if (silent) shmem::abandon_start(database);
      pg::call([handle] { pfree(handle); });
      return true;
    };
    starting_.erase(std::remove_if(starting_.begin(), starting_.end(), over), starting_.end());
    drop_vanished_databases();
  }

  void drop_vanished_databases() {
    const std::vector<Oid> suspects = shmem::failing_databases();
    if (suspects.empty()) return;
    pg::in_transaction([&suspects] {
      for (const Oid database : suspects) {
        const bool lives = pg::call([database] {
          const HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
          if (!HeapTupleIsValid(tuple)) return false;
          const bool answer = can_be_entered(reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple)));
          ReleaseSysCache(tuple);
          return answer;
        });
        if (!lives) shmem::remove_database(database);
      }
    });
  }

  pg::Sleeper sleeper_;
  std::vector<Starting> starting_;
  Instant remind_at_;  // when to call remind_postmaster() for them
};

}  // namespace

void register_launcher() {
  BackgroundWorker worker = {};
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = 1;
  strlcpy(worker.bgw_name, "metrics_refresh launcher", BGW_MAXLEN);
  strlcpy(worker.bgw_type, "metrics_refresh launcher", BGW_MAXLEN);
  strlcpy(worker.bgw_library_name, "metrics_refresh", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "mr_launcher_main", BGW_MAXLEN);
  RegisterBackgroundWorker(&worker);
}

}  // namespace metrics_refresh::worker

extern "C" void mr_launcher_main(Datum) {
  namespace worker = metrics_refresh::worker;
  namespace shmem = metrics_refresh::shmem;
  namespace pg = metrics_refresh::pg;
  pg::boundary([] {
    worker::install_signals();
    worker::connect(InvalidOid);
    pg::call([] {
      before_shmem_exit(worker::on_exit, 0);
      shmem::attach_launcher();
    });
    worker::Launcher().run();
  });
}
