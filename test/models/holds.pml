/*
 * The holds of the queue: src/core/queue/ready_work.cpp, src/shmem/queue/holds.cpp,
 * src/store/queue/news.cpp, src/queue/upkeep/mover.cpp, stragglers.cpp and rereads.cpp.
 *
 * A transaction that cancels a job holds it first, and looks for its row after that, with a new
 * snapshot. The hold ends with the transaction. If the transaction is rolled back, the job is posted
 * again. A hold takes a job that has not started from the bite of its worker. The scheduler copies a job
 * to another segment under a hold, too. It moves a parked job without one, under the lock of its row, as a
 * retry by a session does, and skips a row that is locked. A rollback may come between any two steps. The
 * server may crash.
 *
 * Version n of the job is in segment n, so a hint for another version is of no use. A worker and the end
 * of its transaction are in claims.pml; here its commit and its end of the claim are two steps.
 *
 * Properties: the job is done once, or canceled once, and not both. In the end it is one of these, nobody
 * holds it, and no hint is left. A session that finds no job to change is right: it has ended.
 *
 * Each guard is a part of the protocol between #ifndef NO_… and #endif. tools/check_models.sh takes
 * out one after the other, and a property must then fail.
 *
 * size: -DROLLBACKS=2 -DCOPIES=1 -DFAILURES=2 -DCRASHES=1
 * long: -DROLLBACKS=3 -DCOPIES=1 -DFAILURES=2 -DCRASHES=2
 */

#define VERSIONS 3
#define NOBODY 255
#define NONE 254
#define PARKED 253
#define WORKER 0               /* holders of the claim */
#define SCHEDULER 1
#define CANCEL 2
#define RETRY 3
#define BIT(v) (1 << (v))

/* The tables, as a new snapshot sees them: sets of versions */
byte rows = BIT(0), marks;     /* queue_hot, queue_ended */
bool is_parked;                /* queue_later has version `parked` */
byte parked;
byte row_lock = NOBODY;        /* of the row in queue_later */
byte done, canceled;           /* counts */

/* Shared memory. Each d_step on it is done under the lock of the queue. */
byte hints[VERSIONS];          /* spans, by segment */
byte holder = NOBODY;          /* the claimed set */
byte met;                      /* segments of hints that came meanwhile */
byte item;                     /* the version that the worker has claimed */
bool is_started;               /* Item::State */
bool cancel_requested;         /* cancel_running() */
byte rereads;                  /* rereads_wanted */
bool later_news;               /* SchedulerNews::later */
bool is_recovering;

byte boot = 1;
byte rollbacks = ROLLBACKS, copies = COPIES, failures = FAILURES, crashes = CRASHES;

#define is_ready(v) ((rows & BIT(v)) && !(marks & BIT(v)))

/* The version that is ready, or else PARKED or NONE */
inline look(found) {
  d_step {
    if
    :: is_ready(0) -> found = 0
    :: !is_ready(0) && is_ready(1) -> found = 1
    :: !is_ready(0) && !is_ready(1) && is_ready(2) -> found = 2
    :: !is_ready(0) && !is_ready(1) && !is_ready(2) && is_parked -> found = PARKED
    :: else -> found = NONE
    fi
  }
}

/* The claim or the hold ends, and hints of these segments are posted. */
inline release(segments) {
  holder = NOBODY;
#ifndef NO_MET_HINT
  hints[0] = hints[0] + (((met | (segments)) & 1) -> 1 : 0);
  hints[1] = hints[1] + (((met | (segments)) & 2) -> 1 : 0);
  hints[2] = hints[2] + (((met | (segments)) & 4) -> 1 : 0);
#else
  hints[0] = hints[0] + (((segments) & 1) -> 1 : 0);
  hints[1] = hints[1] + (((segments) & 2) -> 1 : 0);
  hints[2] = hints[2] + (((segments) & 4) -> 1 : 0);
#endif
  met = 0
}

/* ReadyWork::hold() for a job that no worker has started */
inline hold(by) {
#ifndef NO_CUT_HINT
  met = (holder == WORKER -> BIT(item) : 0);
#endif
  holder = by
}
#define can_hold (holder == NOBODY || (holder == WORKER && !is_started))

/* A transaction ends this version. Nobody else may have ended it. */
inline mark(v) { assert(!(marks & BIT(v))); marks = marks | BIT(v) }
inline check_once() { assert(done + canceled == 1) }

proctype worker() {
  byte my_boot, v;
  bool ready;
  do
  :: my_boot = boot;
     {
       true;
end_asleep:
       do
       :: d_step {             /* claim() */
            !is_recovering && (hints[0] > 0 || hints[1] > 0 || hints[2] > 0) ->
            v = (hints[0] > 0 -> 0 : (hints[1] > 0 -> 1 : 2));
            hints[v]--;
            if
            :: holder == NOBODY -> holder = WORKER; item = v; is_started = false; met = 0
            :: else -> met = met | BIT(v); v = 0
            fi
          };
          if
          :: d_step {          /* start_next() */
               holder == WORKER -> is_started = true; cancel_requested = false };
             d_step { ready = is_ready(v) };                  /* the snapshot, the row, the end mark */
             if
             :: !ready
             :: ready ->
                if
                :: atomic { !cancel_requested -> done++; mark(v); check_once() }
                :: atomic { cancel_requested -> mark(v); canceled++; check_once() }
                :: atomic { failures > 0 && v + 1 < VERSIONS && !cancel_requested ->
                     failures--; mark(v); is_parked = true; parked = v + 1 };
                   later_news = true
                fi
             fi;
             d_step { release(0); ready = false; v = 0; is_started = false; item = 0; cancel_requested = false }
          :: d_step { holder != WORKER -> v = 0 }             /* a hold has taken it */
          fi
       od
     } unless { boot != my_boot };
     d_step { ready = false; v = 0 }
  od
}

/* The rest of a transaction that has changed nothing, or is rolled back. `segments`: those of the rows
 * that it knows */
inline end_without_change(segments) {
  d_step {
    if
    :: row_lock == self ->
       row_lock = NOBODY;
#ifndef NO_NEWS_AFTER_ROLLBACK
       later_news = true       /* the scheduler has skipped the row */
#endif
    :: else
    fi
  };
#ifndef NO_RELEASE_AT_ROLLBACK
  d_step { release(segments); found = NONE }
#else
  d_step { holder = NOBODY; met = 0; found = NONE }
#endif
}

/* cancel_job() */
proctype cancel() {
  byte my_boot = 1, found = NONE, self = CANCEL;
  {
#ifdef NO_HOLD_BEFORE_LOOK
    look(found);
#endif
    if
    :: d_step { can_hold -> hold(self) }
    :: d_step { holder == WORKER && is_started -> cancel_requested = true; found = NONE };
       goto gone
    :: d_step { holder != NOBODY && holder != WORKER -> found = NONE };
       goto gone              /* in use: the caller tries again */
    fi;
    if
    :: atomic {                /* an error before set_held_job(): segment and type are not known */
         rollbacks > 0 -> rollbacks-- };
       d_step {
         rereads = rereads | BIT(0);
#ifndef NO_REREAD_OF_MET
         rereads = rereads | met;
#endif
         holder = NOBODY; met = 0; found = NONE
       };
       goto gone
    :: true
    fi;
look_again:
    true;
#ifndef NO_HOLD_BEFORE_LOOK
    look(found);
#endif
    if
    :: found == PARKED ->
       if                      /* take_later() waits for the lock of the row. */
       :: atomic { row_lock == NOBODY && is_parked -> row_lock = self }
       :: d_step { row_lock == NOBODY && !is_parked -> skip };
#ifndef NO_LOOK_AGAIN
          goto look_again
#else
          found = NONE;
          goto unchanged
#endif
       fi
    :: found == NONE -> goto unchanged
    :: else
    fi;
    if
    :: atomic { rollbacks > 0 -> rollbacks-- };
       if
       :: found == PARKED -> end_without_change(0)
       :: else -> end_without_change(BIT(found))
       fi
    :: atomic {                /* commits */
         if
         :: found == PARKED -> is_parked = false; row_lock = NOBODY
         :: else -> mark(found)
         fi;
         canceled++; check_once()
       };
       d_step { release(0); found = NONE }                    /* end_holds() */
    fi;
    goto gone;
unchanged:
    assert(done + canceled == 1);                             /* the caller is told so */
    end_without_change(0)
  } unless { boot != my_boot };
gone:
  atomic { found = NONE; my_boot = 0 }
}

/* retry_job() for a job that has failed: it needs no hold, because it changes no row that can be claimed. */
proctype retry() {
  byte my_boot = 1, found = NONE;
  {
    look(found);
    if
    :: found != PARKED -> goto gone
    :: atomic { found == PARKED && row_lock == NOBODY && is_parked -> row_lock = RETRY }
    :: d_step { found == PARKED && row_lock == NOBODY && !is_parked -> skip };
       goto gone               /* it looks again */
    fi;
    if
    :: atomic { rollbacks > 0 -> rollbacks-- };
       d_step {
         row_lock = NOBODY;
#ifndef NO_NEWS_AFTER_ROLLBACK
         later_news = true
#endif
       }
    :: d_step { is_parked = false; rows = rows | BIT(parked); row_lock = NOBODY; found = parked };
       d_step { hints[found]++ }                              /* post() */
    fi
  } unless { boot != my_boot };
gone:
  atomic { found = NONE; my_boot = 0 }
}

proctype scheduler_process() {
  byte my_boot, found = NONE, self = SCHEDULER;
  do
  :: my_boot = boot;
     {
       true;
end_asleep:
       do
       :: d_step {             /* recovery */
            is_recovering ->
            hints[0] = hints[0] + (is_ready(0) -> 1 : 0);
            hints[1] = hints[1] + (is_ready(1) -> 1 : 0);
            hints[2] = hints[2] + (is_ready(2) -> 1 : 0);
            later_news = true;
            is_recovering = false
          }
       :: d_step { !is_recovering && later_news -> later_news = false };
          if                   /* Mover::work() */
          :: atomic { is_parked && row_lock == NOBODY -> row_lock = self };
             d_step { is_parked = false; rows = rows | BIT(parked); row_lock = NOBODY };
             d_step { hints[parked]++; }
          :: d_step { !is_parked || row_lock != NOBODY -> skip }
          fi
       :: d_step { !is_recovering && rereads != 0 -> found = rereads; rereads = 0 };   /* begin_reread() */
          d_step {             /* the snapshot */
            found = ((found & 1) && is_ready(0) -> 1 : 0) | ((found & 2) && is_ready(1) -> 2 : 0) |
                    ((found & 4) && is_ready(2) -> 4 : 0) };
          d_step {
            hints[0] = hints[0] + ((found & 1) -> 1 : 0);
            hints[1] = hints[1] + ((found & 2) -> 1 : 0);
            hints[2] = hints[2] + ((found & 4) -> 1 : 0);
            found = NONE
          }
       :: atomic { !is_recovering && copies > 0 && is_ready(0) -> copies--; found = 0 };  /* read_unended() */
          if
          :: d_step { can_hold -> hold(self) };
             if
             :: atomic {       /* copy_forward(), with a new snapshot */
                  is_ready(0) && !(rows & 2) -> mark(0); rows = rows | BIT(1) };
                d_step { hints[1]++ }
             :: d_step { !is_ready(0) || (rows & 2) -> skip }                 /* it has ended meanwhile */
             fi;
             d_step { release(0); found = NONE }
          :: d_step { !can_hold -> found = NONE }
          fi
       od
     } unless { boot != my_boot };
     d_step { found = NONE }
  od
}

proctype crash() {
end:
  do
  :: d_step {
       crashes > 0 -> crashes--;
       boot++;
       hints[0] = 0; hints[1] = 0; hints[2] = 0; holder = NOBODY; met = 0; item = 0; is_started = false;
       cancel_requested = false; rereads = 0; later_news = false; row_lock = NOBODY; is_recovering = true
     }
  od
}

/* Nothing has to go wrong. */
proctype calm() {
end:
  d_step { rollbacks > 0 || copies > 0 || failures > 0 || crashes > 0 ->
    rollbacks = 0; copies = 0; failures = 0; crashes = 0 }
}

proctype at_rest() {
  timeout ->
  assert(done + canceled == 1 && !is_parked && holder == NOBODY && rereads == 0 &&
         hints[0] == 0 && hints[1] == 0 && hints[2] == 0)
}

init {
  atomic {
    hints[0] = 1;
    run worker(); run cancel(); run retry(); run scheduler_process();
    run crash(); run calm(); run at_rest()
  }
}
