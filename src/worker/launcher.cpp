// Why a launcher: an idle scheduler would hold a connection to its database all day (and stand in
// the way of DROP DATABASE), so schedulers leave when nothing is due for a while. The launcher
// remembers in shared memory when each is needed again. After a start it knows nothing, so it has
// every database looked into once: a scheduler that finds no extension there leaves for good.
#include "worker/launcher.hpp"

#include <algorithm>

#include "pg/sleeper.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "shmem/prepared_news.hpp"
#include "shmem/server_settings.hpp"
#include "shmem/shmem.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {
namespace {

using core::Instant;

// A scheduler is up, connected and has read its jobs well within this.
constexpr core::Duration kLead = std::chrono::milliseconds(500);
// Where the server has no worker slot free, nobody tells us when it has one again.
constexpr core::Duration kRetry = std::chrono::seconds(1);
// At a start, so many databases are looked into at once.
constexpr int kLooksAtOnce = 4;

void on_exit(int, Datum) { shmem::detach_launcher(); }

// False also for what an interrupted DROP DATABASE left.
bool can_be_entered(Form_pg_database database) {
  return database->datallowconn && !database_is_invalid_form(database);
}

std::vector<Oid> connectable_databases() {
  std::vector<Oid> databases;
  pg::in_transaction([&] {
    // At most this many can be served; the rest is reported by post_changes().
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

// Sessions with other ones ask for them.
void publish_settings() {
  pg::in_transaction([] { shmem::publish_server_settings(); });
}

class Launcher {
 public:
  void run() {
    pg::call([] { shmem::note_start(); });
    shmem::clear_starts();
    publish_settings();
    look_into_all();
    Instant before = pg::now();
    for (;;) {
      follow_starts();
      const Instant now = pg::now();
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

  // Starts what is needed now. Returns when to look again, unless the latch is set before.
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

  // A scheduler that reported is none of our business any more; one that ended without a report
  // (it could not connect: the database is gone, or the server is short of something) is tried
  // again later, with growing delays.
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
  Instant remind_at_;  // the postmaster of them
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
