/*
 * The slots of workers: src/shmem/worker_slots.cpp, src/worker/dispatch.cpp, worker_main.cpp, run.cpp.
 *
 * A scheduler gives each run to a slot, and starts a process if no worker of the session is ready. The
 * worker attaches, takes the run, commits its begin, reports that, commits its work, and ends the run.
 * The scheduler collects the end, and the slot is used again. A worker may fail to start, or be
 * terminated between any two steps. The scheduler may die, alone or with all workers. The server may
 * crash. A session may cancel the run. The scheduler may be unable to read and write the log.
 *
 * Properties: the work of a run is committed once at most. Each run has exactly one row in the log,
 * which is complete in the end. In the end each slot is free, or belongs to an idle worker that can get
 * a run. Each wait ends. A run that was canceled before its worker took it does no work.
 *
 * A limit of the code: when the scheduler has collected a run that could not begin, only its memory knows
 * the cancel until the run is logged or assigned again. It is lost if the scheduler dies then.
 *
 * Each guard is a part of the protocol between #ifndef NO_… and #endif. tools/check_models.sh takes
 * out one after the other, and a property must then fail.
 *
 * size: -DSLOTS=1 -DRUNS=1 -DSESSIONS=1 -DTROUBLES=2 -DSPARES=1 -DCANCELS=1
 * size: -DSLOTS=1 -DRUNS=2 -DSESSIONS=2 -DTROUBLES=2 -DSPARES=0 -DCANCELS=0
 * size: -DSLOTS=2 -DRUNS=2 -DSESSIONS=1 -DTROUBLES=1 -DSPARES=0 -DCANCELS=0
 * long: -DSLOTS=1 -DRUNS=1 -DSESSIONS=1 -DTROUBLES=3 -DSPARES=1 -DCANCELS=1
 * NO_ADOPTION: -DSLOTS=2 -DRUNS=2 -DSESSIONS=1 -DTROUBLES=1 -DSPARES=0 -DCANCELS=0
 * NO_COLLECT_BEFORE_REUSE: -DSLOTS=2 -DRUNS=2 -DSESSIONS=1 -DTROUBLES=1 -DSPARES=0 -DCANCELS=0
 * NO_GENERATION_AT_START: -DSLOTS=1 -DRUNS=1 -DSESSIONS=1 -DTROUBLES=2 -DSPARES=1 -DCANCELS=0
 * NO_IS_LOGGED_AT_BEGIN: -DSLOTS=1 -DRUNS=1 -DSESSIONS=1 -DTROUBLES=2 -DSPARES=0 -DCANCELS=0
 */

#define PROCESSES 2
#define NONE 255
#define session_of(r) ((r) % SESSIONS)

/* shmem::SlotState */
#define FREE 0
#define STARTING 1
#define ASSIGNED 2
#define RUNNING 3
#define ENDED 4
#define IDLE 5
#define DEAD 6

/* shmem::WorkerSlot */
typedef Slot {
  byte state;
  byte generation;
  byte session;
  byte worker = NONE;          /* the process that is attached */
  byte job;
  bool leave;
  bool begin_is_reported;
  bool not_begun;              /* the result; false stands for success and failure */
  bool cancel_requested;
  bool tried                   /* Assignment::tries > 0 */
};
Slot slots[SLOTS];
byte generations;

/* Background processes, as the postmaster knows them */
#define REGISTERED 1
#define STARTED 2
#define STOPPED 3
byte process[PROCESSES];
byte start_slot[PROCESSES], start_generation[PROCESSES];  /* bgw_main_arg, bgw_extra */
bool has_handle[PROCESSES];    /* the scheduler can ask for the state of the process */
bool attached[PROCESSES];
bool doomed[PROCESSES];        /* SIGTERM was sent */
bool latch[PROCESSES];

/* The tables. They survive a crash. */
byte rows[RUNS];               /* log rows of the run */
bool is_open[RUNS];            /* the row says `running`, and active_run lists it */
byte done[RUNS];               /* the number of times that the work was committed */

bool woken;                    /* DatabaseEntry::wakes has changed */
bool scheduler_doomed;
bool is_canceled[RUNS];        /* before a worker took the run */
byte cancels = CANCELS;
byte boot = 1;
byte troubles = TROUBLES;
byte timeouts = 1;             /* idle workers that may leave on their own */
byte spares = SPARES;          /* claim_spare() */

#define has_run(s) (slots[s].state == ASSIGNED || slots[s].state == RUNNING)

/* free_slot_locked() */
inline free_slot(s) {
  slots[s].state = FREE; slots[s].generation = 0; slots[s].session = 0; slots[s].worker = NONE;
  slots[s].job = 0; slots[s].leave = false; slots[s].begin_is_reported = false;
  slots[s].not_begun = false; slots[s].cancel_requested = false; slots[s].tried = false
}

/* assign() */
inline assign(s, r) {
  slots[s].state = ASSIGNED; slots[s].job = r; slots[s].leave = false;
  slots[s].begin_is_reported = false; slots[s].not_begun = false;
  slots[s].cancel_requested = kept_cancel[r]; slots[s].tried = was_tried[r]
}

/* release_locked(): the slot has no process */
#ifndef NO_CANCEL_AT_RELEASE
#define must_log(s) (slots[s].state == ASSIGNED && slots[s].cancel_requested)
#else
#define must_log(s) false
#endif
inline release(s) {
  if
  :: must_log(s) -> slots[s].state = DEAD; woken = true
  :: else -> free_slot(s)
  fi
}

/* cancel_locked() */
inline cancel_locked(s) {
  slots[s].cancel_requested = true;
  is_canceled[slots[s].job] = (slots[s].state == ASSIGNED)
}

/* reserve() */
inline reserve(s, session_wanted) {
  generations++;
  slots[s].generation = generations; slots[s].session = session_wanted; slots[s].worker = NONE
}

#ifndef NO_GENERATION_AT_START
#define IS_OWN_START (slots[slot].generation == generation)
#else
#define IS_OWN_START true
#endif
#ifndef NO_GENERATION_AT_EXIT
#define IS_OWN_EXIT (slots[slot].generation == generation)
#else
#define IS_OWN_EXIT true
#endif

#ifndef NO_IS_LOGGED_AT_BEGIN
#define has_begun(r) (slots[slot].tried && rows[r] > 0)
#else
#define has_begun(r) false
#endif

/* mr_worker_main() and serve() */
proctype worker_process(byte self) {
  byte my_boot, slot, generation, r;
  bool leaves;
end_no_process:
  do
  :: d_step { process[self] == REGISTERED -> my_boot = boot };
     {
       if
       :: d_step {              /* fork() failed */
            troubles > 0 -> troubles--;
            process[self] = (has_handle[self] -> STOPPED : 0); my_boot = 0;
            start_slot[self] = 0; start_generation[self] = 0
          };
          goto end_no_process
       :: d_step { process[self] = STARTED; slot = start_slot[self]; generation = start_generation[self] }
       fi;
       atomic {                /* attach_worker() */
         if
         :: IS_OWN_START && (slots[slot].state == STARTING || slots[slot].state == ASSIGNED) ->
            slots[slot].worker = self;
            attached[self] = true;
            if
            :: slots[slot].state == STARTING -> slots[slot].state = IDLE
            :: else
            fi
         :: else -> goto gone
         fi
       };
serve:
       if
       :: atomic { slots[slot].state == ASSIGNED -> slots[slot].state = RUNNING; r = slots[slot].job };
          if
          :: atomic { troubles > 0 -> troubles-- };  /* not_begun(): the first transaction failed */
             leaves = true
#ifndef NO_IS_LOGGED_AT_BEGIN
          :: d_step { slots[slot].tried && rows[r] > 0 -> skip }  /* is_logged() */
#endif
          :: d_step {          /* throw_cancel(): the first transaction logs the end */
               !has_begun(r) && slots[slot].cancel_requested -> assert(rows[r] == 0); rows[r]++
             }
          :: d_step {          /* begin(): the first transaction commits the row of the run */
               !has_begun(r) && !slots[slot].cancel_requested ->
               assert(rows[r] == 0);
               rows[r]++;
               is_open[r] = true
             };
             slots[slot].begin_is_reported = true;  /* report_begin() */
             d_step {          /* do_work(): the work and the end of the row commit together */
               assert(is_open[r] && done[r] == 0 && !is_canceled[r]);
               is_open[r] = false;
               done[r]++
             }
          fi;
          d_step {             /* end_run() */
            slots[slot].state = ENDED;
            slots[slot].not_begun = leaves;
            slots[slot].begin_is_reported = true;
            leaves = false;
#ifndef NO_WAKE_AT_END
            woken = true
#endif
          };
          goto serve
       :: slots[slot].state != ASSIGNED
       fi;
       if
       :: leaves = slots[slot].leave                  /* read_slot() */
       :: atomic { timeouts > 0 -> timeouts--; leaves = true }  /* worker_idle_timeout has passed */
       fi;
       if
       :: leaves ->
          atomic {             /* leave_idle() */
            leaves = false;
            if
            :: slots[slot].state == ENDED -> slots[slot].leave = true
            :: slots[slot].state == IDLE -> free_slot(slot); goto gone
            :: else
            fi
          }
       :: else
       fi;
end_asleep:
       d_step { latch[self] -> latch[self] = false };
       goto serve
     } unless { doomed[self] || boot != my_boot };
gone:
     atomic {
       if
       :: boot == my_boot ->
          if
          :: attached[self] && IS_OWN_EXIT ->         /* detach_worker() */
             if
             :: slots[slot].state == IDLE -> free_slot(slot)
             :: else ->
                if
                :: slots[slot].state != ENDED -> slots[slot].state = DEAD
                :: else
                fi;
                slots[slot].worker = NONE;
                woken = true
             fi
          :: else
          fi;
          process[self] = (has_handle[self] -> STOPPED : 0);
          attached[self] = false; doomed[self] = false; latch[self] = false;
          start_slot[self] = 0; start_generation[self] = 0
       :: else
       fi;
       slot = 0; generation = 0; r = 0; leaves = false; my_boot = 0
     }
  od
}

/* What core::Scheduler knows of a run */
#define READY 0
#define UNDER_WAY 1
#define AGAIN 2                /* Dispatch::unbegun_ */
#define OVER 3

/* Dispatch::start_worker(): registers a process for the slot, or releases the claim. */
#define can_register (process[0] == 0 || process[1] == 0)
inline start_worker(s) {
  if
  :: d_step {
       p = (process[0] == 0 -> 0 : 1);
       process[p] = REGISTERED; has_handle[p] = true;
       start_slot[p] = s; start_generation[p] = new_generation;
       handle[s] = p; handle_generation[s] = new_generation;
       p = 0; new_generation = 0
     }
  :: d_step {                  /* max_worker_processes is exhausted: release_claim() */
       troubles > 0 -> troubles--;
#if CANCELS
       if
       :: cancels > 0 && slots[s].state == ASSIGNED -> cancels--; cancel_locked(s)
       :: true
       fi;
#endif
       if
       :: slots[s].generation == new_generation ->
          release(s);
          if
          :: slots[s].state == FREE -> s = NONE
          :: else              /* collect() logs the end */
          fi
       :: else -> s = NONE
       fi;
       new_generation = 0
     }
  :: d_step { troubles > 0 -> troubles--; scheduler_doomed = true }  /* an error ends the scheduler */
  fi
}

/* is_available() */
#ifndef NO_COLLECT_BEFORE_REUSE
#define is_available(s) (!slots[s].leave && (slots[s].state == IDLE || slots[s].state == STARTING))
#else
#define is_available(s) (!slots[s].leave && (slots[s].state == IDLE || slots[s].state == STARTING || slots[s].state == ENDED))
#endif

/* claim_slot() */
inline claim_slot(r) {
  d_step {
    claimed = NONE; starts = false; unused = NONE; foreign = NONE; s = 0;
    do
    :: s < SLOTS ->
       if
       :: has_run(s) && slots[s].job == r -> claimed = NONE; unused = NONE; foreign = NONE; break
       :: slots[s].state == FREE && can_register -> unused = s
       :: is_available(s) && slots[s].session == session_of(r) ->
          if
          :: claimed == NONE || slots[s].state != STARTING -> claimed = s
          :: else
          fi
       :: is_available(s) && slots[s].session != session_of(r) && slots[s].state == IDLE -> foreign = s
       :: else
       fi;
       s++
    :: else -> break
    od;
    if
    :: claimed != NONE ->
       assign(claimed, r);
#ifndef NO_LATCH_AT_CLAIM
       if
       :: slots[claimed].worker != NONE -> latch[slots[claimed].worker] = true
       :: else
       fi
#endif
    :: claimed == NONE && unused != NONE ->
       claimed = unused; starts = true;
       assign(claimed, r);
       reserve(claimed, session_of(r));
       new_generation = slots[claimed].generation
    :: claimed == NONE && unused == NONE && foreign != NONE ->
       slots[foreign].leave = true;
       latch[slots[foreign].worker] = true
    :: else
    fi;
    s = 0; unused = 0; foreign = 0
  }
}

/* claim_spare(), for a run that will be due soon */
inline claim_spare(r) {
  d_step {
    claimed = NONE; s = 0;
    do
    :: s < SLOTS ->
       if
       :: slots[s].state == FREE && can_register -> claimed = s
       :: is_available(s) && slots[s].session == session_of(r) -> claimed = NONE; break
       :: else
       fi;
       s++
    :: else -> break
    od;
    s = 0;
    if
    :: claimed != NONE ->
       slots[claimed].state = STARTING;
       slots[claimed].leave = false;
       reserve(claimed, session_of(r));
       new_generation = slots[claimed].generation
    :: else
    fi
  }
}

/* Dispatch::check_starting_workers() for one slot */
inline check_start(s) {
  d_step {
    if
    :: handle[s] != NONE && process[handle[s]] == STOPPED ->
#ifndef NO_NEVER_STARTED
       if                      /* mark_never_started() */
       :: slots[s].generation == handle_generation[s] && slots[s].worker == NONE &&
          slots[s].state == ASSIGNED -> slots[s].state = DEAD
       :: slots[s].generation == handle_generation[s] && slots[s].worker == NONE &&
          slots[s].state == STARTING -> free_slot(s)
       :: else
       fi;
#endif
       process[handle[s]] = 0; has_handle[handle[s]] = false; handle[s] = NONE; handle_generation[s] = 0
    :: handle[s] != NONE && process[handle[s]] == STARTED &&
       (slots[s].generation != handle_generation[s] || slots[s].worker != NONE) ->
       has_handle[handle[s]] = false; handle[s] = NONE; handle_generation[s] = 0
    :: else
    fi
  }
}

/* collect_finished() and Dispatch::collect() for one slot */
inline collect(s) {
  d_step {
    was = slots[s].state;
    r = slots[s].job; begun = slots[s].begin_is_reported; not_begun = slots[s].not_begun;
    if
    :: (was == DEAD && !begun) || (was == ENDED && not_begun) -> kept_cancel[r] = slots[s].cancel_requested
    :: else
    fi;
    if
    :: was == ENDED && slots[s].worker != NONE ->
       slots[s].state = IDLE;
#ifndef NO_LATCH_AT_COLLECT
       if
       :: slots[s].leave -> latch[slots[s].worker] = true
       :: else
       fi
#endif
    :: was == DEAD || (was == ENDED && slots[s].worker == NONE) -> free_slot(s)
    :: else
    fi;
    if
    :: was == DEAD && begun -> knows[r] = OVER; orphans = true
    :: was == ENDED && not_begun -> knows[r] = AGAIN; was_tried[r] = true
    :: was == ENDED && !not_begun -> knows[r] = OVER
    :: else
    fi;
    if
    :: was == DEAD && !begun -> skip
    :: else -> was = 0; r = 0; begun = false
    fi;
    not_begun = false
  };
  if
  :: was == DEAD && !begun ->
#ifndef NO_LOG_OF_UNBEGUN
     if
     :: d_step {               /* log_unbegun(): is_logged() is true if the worker died after its commit */
          if
#ifndef NO_IS_LOGGED
          :: rows[r] > 0
#endif
          :: else -> assert(rows[r] == 0); rows[r]++
          fi;
          knows[r] = OVER
        }
     :: atomic { troubles > 0 -> troubles--; knows[r] = AGAIN; was_tried[r] = true }  /* try_again() */
     fi;
#else
     knows[r] = OVER;
#endif
     d_step { orphans = true; was = 0; r = 0 }
  :: else -> skip
  fi
}

/* Dispatch::close_orphans(): the slots first, then the transaction */
inline close_orphans() {
  d_step {
    live = 0; s = 0; begun = false;
    do
    :: s < SLOTS ->
       if
       :: has_run(s) && slots[s].begin_is_reported -> live = live | (1 << slots[s].job)
       :: has_run(s) && !slots[s].begin_is_reported ->
#ifndef NO_BEGINNING_RUNS
          live = live | (1 << slots[s].job);
#endif
          begun = true         /* some run is beginning, so look again later */
       :: else
       fi;
       s++
    :: else -> break
    od;
    s = 0
  };
  d_step {
    r = 0;
    do
    :: r < RUNS ->
       if
       :: is_open[r] && !(live & (1 << r)) -> is_open[r] = false
       :: else
       fi;
       r++
    :: else -> break
    od;
    orphans = begun;
    begun = false; r = 0; live = 0
  }
}

/* SchedulerProcess::run() */
proctype scheduler_process() {
  byte my_boot, knows[RUNS], handle[SLOTS], handle_generation[SLOTS];
  byte claimed, s, p, r, unused, foreign, was, live, new_generation;
  bool orphans, starts, begun, not_begun;
  bool kept_cancel[RUNS], was_tried[RUNS];  /* Dispatch::tries_ */
  do
  :: d_step {                  /* attach_scheduler() */
       my_boot = boot; scheduler_doomed = false;
       handle[0] = NONE; handle[SLOTS - 1] = NONE;
       has_handle[0] = false; has_handle[1] = false;
       if
       :: process[0] == STOPPED -> process[0] = 0
       :: else
       fi;
       if
       :: process[1] == STOPPED -> process[1] = 0
       :: else
       fi
     };
     {
#ifndef NO_RELEASE_UNSTARTED
       d_step {                /* release_unstarted() */
         s = 0;
         do
         :: s < SLOTS ->
            if
            :: slots[s].worker == NONE && (slots[s].state == STARTING || slots[s].state == ASSIGNED) ->
               release(s)
            :: else
            fi;
            s++
         :: else -> break
         od;
         s = 0
       };
#endif
       d_step {                /* unfinished_slots() */
         s = 0;
         do
         :: s < SLOTS ->
            if
            :: has_run(s) || slots[s].state == ENDED || slots[s].state == DEAD ->
               live = live | (1 << slots[s].job)
            :: else
            fi;
            s++
         :: else -> break
         od;
         s = 0; woken = false
       };
       d_step {                /* read_news(): a due time counts as served if its run has a row; adopt() */
         r = 0;
         do
         :: r < RUNS ->
#ifndef NO_ADOPTION
            knows[r] = ((live & (1 << r)) -> UNDER_WAY : (rows[r] > 0 -> OVER : READY));
#else
            knows[r] = (rows[r] > 0 -> OVER : READY);
#endif
            r++
         :: else -> break
         od;
         r = 0; live = 0
       };
       close_orphans();
       do
       ::
#if SLOTS > 1
          check_start(1);
          collect(1);
#endif
          check_start(0);
          collect(0);
          if
          :: orphans -> close_orphans()
          :: atomic {
               !orphans && spares > 0 && knows[0] == READY ->     /* make_ready() */
               spares--;
               claim_spare(0);
               if
               :: claimed != NONE -> start_worker(claimed)
               :: else
               fi;
               claimed = 0
             }
          :: !orphans
          fi;
          do
          :: atomic {
               r < RUNS && knows[r] == READY ->       /* tick() and hand_over(), without an interrupt */
               claim_slot(r);
               if
               :: starts -> start_worker(claimed)
               :: else
               fi;
               if
               :: claimed != NONE -> knows[r] = UNDER_WAY; kept_cancel[r] = false
               :: else                                /* StartRefused: tried again after a second */
               fi;
               starts = false; claimed = 0;
               r++
             }
          :: atomic { r < RUNS && knows[r] != READY -> knows[r] = (knows[r] == AGAIN -> READY : knows[r]); r++ }
          :: atomic { r == RUNS -> r = 0; break }
          od;
          /* Sleeps until it is woken, or until the time of the next try. */
end_asleep:
          if
          :: woken || orphans || knows[0] == READY || knows[RUNS - 1] == READY ||
             handle[0] != NONE || handle[SLOTS - 1] != NONE -> woken = false
          fi
       od
     } unless { scheduler_doomed || boot != my_boot };
     d_step {
       if
       :: kept_cancel[0] -> is_canceled[0] = false
       :: else
       fi;
       if
       :: kept_cancel[RUNS - 1] -> is_canceled[RUNS - 1] = false
       :: else
       fi;
       kept_cancel[0] = false; kept_cancel[RUNS - 1] = false; was_tried[0] = false; was_tried[RUNS - 1] = false;
       knows[0] = 0; knows[RUNS - 1] = 0; handle_generation[0] = 0; handle_generation[SLOTS - 1] = 0;
       claimed = 0; s = 0; p = 0; r = 0; unused = 0; foreign = 0; was = 0; live = 0; new_generation = 0;
       orphans = false; starts = false; begun = false; not_begun = false
     }
  od
}

/* SIGTERM to a worker: by an administrator, by end_overdue(), by a failed connection */
proctype terminate_worker(byte victim) {
end:
  do
  :: atomic { troubles > 0 && attached[victim] && !doomed[victim] -> troubles--; doomed[victim] = true }
  od
}

/* The scheduler dies by an error or by SIGTERM. */
proctype terminate_scheduler() {
end:
  do
  :: atomic { troubles > 0 && !scheduler_doomed -> troubles--; scheduler_doomed = true }
  od
}

/* send_away() for DROP DATABASE, and the end of the extension: terminate_workers_locked() */
proctype terminate_all() {
  byte s;
end:
  do
  :: d_step {
       troubles > 0 && !scheduler_doomed -> troubles--; scheduler_doomed = true;
       s = 0;
       do
       :: s < SLOTS ->
          if
          :: slots[s].worker != NONE -> doomed[slots[s].worker] = true
          :: slots[s].worker == NONE && slots[s].state == ASSIGNED -> slots[s].state = DEAD
          :: slots[s].worker == NONE && slots[s].state == STARTING -> free_slot(s)
          :: else
          fi;
          s++
       :: else -> break
       od;
       s = 0
     }
  od
}

/* The whole server crashes. */
proctype crash() {
  byte s;
end:
  do
  :: d_step {
       troubles > 0 -> troubles--;
       boot++; generations = 0; woken = false; s = 0;
       is_canceled[0] = false; is_canceled[RUNS - 1] = false;
       do
       :: s < SLOTS -> free_slot(s); s++
       :: else -> break
       od;
       s = 0;
       do
       :: s < PROCESSES ->
          process[s] = 0; has_handle[s] = false; attached[s] = false; doomed[s] = false;
          latch[s] = false;
          s++
       :: else -> break
       od;
       s = 0
     }
  od
}

#if CANCELS
proctype cancel_run() {
end:
  do
  :: d_step { cancels > 0 && has_run(0) -> cancels--; cancel_locked(0) }
  od
}
#endif

/* Nothing has to go wrong, and no worker has to leave. */
proctype calm() {
end:
  d_step { troubles > 0 || timeouts > 0 || spares > 0 -> troubles = 0; timeouts = 0; spares = 0 }
}

/* When nothing else can happen */
proctype at_rest() {
  byte i;
  timeout ->
  d_step {
    do
    :: i < RUNS -> assert(rows[i] == 1 && !is_open[i]); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < SLOTS -> assert(slots[i].state == FREE || (slots[i].state == IDLE && !slots[i].leave)); i++
    :: else -> break
    od
  }
}

init {
  atomic {
    run worker_process(0); run worker_process(1); run scheduler_process(); run terminate_worker(0); run terminate_worker(1);
#if CANCELS
    run cancel_run();
#endif
    run terminate_scheduler(); run terminate_all(); run crash(); run calm(); run at_rest()
  }
}
