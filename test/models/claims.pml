/*
 * The claims of the queue: src/core/queue/ready_work.cpp, src/shmem/queue/work.cpp and post.cpp,
 * src/queue/job_commit.cpp.
 *
 * Shared memory holds hints: numbers of jobs that may be ready. A worker claims the number first, and
 * only then takes its snapshot, reads the row and looks for the end mark of this version of the row. An
 * enqueuer posts its hint after its commit is visible. A failed attempt ends the version, and the
 * scheduler moves the next version to the hot table. A hint may come twice. A worker may be terminated
 * between any two steps, except from the commit record to the callback of the commit. The server may
 * crash: then memory is new, and recovery posts each job without an end mark. A commit of a worker that
 * was not flushed may be lost by a crash, with its effect and end mark together.
 *
 * Properties: the effect of a job is committed once at most, although no unique index helps here. In
 * the end each job is done, nothing is claimed, and the count of live jobs is 0. The count is not
 * checked after a crash.
 *
 * Each guard is a part of the protocol between #ifndef NO_… and #endif. tools/check_models.sh takes
 * out one after the other, and a property must then fail.
 */

#define NOBODY 2
#define VERSIONS 2
#define BIT(v) (1 << (v))

/* The tables. `rows` and `marks` are sets of versions, as a new snapshot sees them. */
byte rows, marks;
byte effects;
bool is_parked;                /* queue_later has the second version */
bool is_prepared;              /* the enqueuer's transaction */
bool unflushed;                /* the last end mark can be lost by a crash */
byte unflushed_version;

/* Shared memory of the queue. Each d_step on it is done under its lock. */
byte hints[VERSIONS];          /* spans that cover the job, by version */
byte claimed = NOBODY;         /* the claimed set: the worker that holds the job */
byte repeat;                   /* versions that were posted while another claim held the job */
byte live;                     /* count of live jobs */
bool stored_span;              /* prepared_spans; after a crash, the segment that must be read again */
bool is_recovering;            /* claims are closed */

byte boot = 1;
byte troubles = 2;
byte failures = 1;             /* attempts that fail */
byte doubles = 1;              /* hints that come twice */
bool doomed[2];

/* The end of a claim. A hint that met the claim is a hint again: the holder may not have seen its row. */
inline release() {
  claimed = NOBODY;
#ifndef NO_REPEATED_HINT
  hints[0] = hints[0] + (repeat & 1);
  hints[1] = hints[1] + (repeat >> 1);
#endif
  repeat = 0
}

inline look() {
  d_step { is_ready = (rows & BIT(version)) && !(marks & BIT(version)) }
}

inline claim() {
  d_step {
    !is_recovering && (hints[0] > 0 || hints[1] > 0) ->
    version = (hints[0] > 0 -> 0 : 1);
    hints[version]--;
#ifndef NO_CLAIMED_SET
    if
    :: claimed != NOBODY -> repeat = repeat | BIT(version)
    :: else -> claimed = self; holds = true
    fi
#else
    claimed = self; holds = true
#endif
  }
}

proctype worker(byte self) {
  byte my_boot, version;
  bool holds, is_ready, has_committed;
  do
  :: my_boot = boot;
     {
       true;
again:
#ifndef NO_CLAIM_BEFORE_SNAPSHOT
end_asleep:
       claim();
       if
       :: !holds -> goto again
       :: else
       fi;
#ifndef NO_PROBE
       look();                 /* the snapshot, the row, the end mark */
#else
       d_step { is_ready = (rows & BIT(version)) != 0 };
#endif
#else
       true;
end_asleep:
       d_step {
         !is_recovering && (hints[0] > 0 || hints[1] > 0) ->
         version = (hints[0] > 0 -> 0 : 1);
         is_ready = (rows & BIT(version)) && !(marks & BIT(version))
       };
       d_step {
         if
         :: hints[version] > 0 && claimed == NOBODY -> hints[version]--; claimed = self; holds = true
         :: else
         fi
       };
       if
       :: !holds -> goto again
       :: else
       fi;
#endif
       if
       :: !is_ready ->         /* drops the hint */
          d_step { release(); holds = false; version = 0 };
          goto again
       :: is_ready
       fi;
#ifdef NO_CLAIM_UNTIL_COMMIT
       d_step { release(); holds = false };
#endif
       if
       :: atomic {             /* the effect, the end mark and the history commit together */
            assert(effects == 0);
            effects++;
            marks = marks | BIT(version);
            unflushed = true; unflushed_version = version;
#ifndef NO_COMMITTED_FLAG
            has_committed = true             /* XACT_EVENT_COMMIT: interrupts are still held */
#endif
          }
       :: atomic {             /* the attempt fails: a second transaction, which is flushed */
            failures > 0 && version == 0 -> failures--;
            marks = marks | BIT(version);
            is_parked = true;
#ifndef NO_COMMITTED_FLAG
            has_committed = true
#endif
          }
       fi;
       d_step {                /* the end of the item */
         if
         :: holds -> release()
         :: else
         fi;
         live--; holds = false; has_committed = false; is_ready = false; version = 0
       };
       goto again
     } unless { doomed[self] || boot != my_boot };
     d_step {                  /* before_shmem_exit, after the abort of the transaction */
       if
       :: boot == my_boot && holds && has_committed -> release(); live--
#ifndef NO_RETURN
       :: boot == my_boot && holds && !has_committed -> release(); hints[version]++
#endif
       :: else
       fi;
       doomed[self] = false; my_boot = 0; version = 0; holds = false; is_ready = false;
       has_committed = false
     }
  od
}

inline post(v) { d_step { hints[v]++; live++ } }

/* Enqueues one job, by COMMIT or COMMIT PREPARED. An enqueuer that a crash aborts tries again. */
proctype enqueue() {
  byte my_boot;
  do
  :: rows == 0 && !is_prepared ->
     my_boot = boot;
     {
       if
       ::
#ifndef NO_POST_AFTER_VISIBLE
          rows = BIT(0);
          post(0)              /* the release callback, with interrupts held */
#else
          post(0);
          rows = BIT(0)
#endif
       :: d_step { is_prepared = true; stored_span = true };
          d_step { rows = BIT(0); is_prepared = false };
          if
          :: d_step { stored_span -> stored_span = false; hints[0]++; live++ }
          :: !stored_span      /* the scheduler was faster */
          :: atomic { troubles > 0 -> troubles-- }   /* the session dies before the hook */
          fi
       fi
     } unless { boot != my_boot }
  :: is_prepared ->            /* prepared before a crash */
     d_step { rows = BIT(0); is_prepared = false }
  :: rows != 0 -> break
  od
}

/* The scheduler: recovery, prepared transactions, the mover, and segments that are read again */
proctype scheduler_process() {
  byte my_boot;
  bool is_ready;
  byte version;
  do
  :: my_boot = boot;
     {
       true;
end_asleep:
       do
#ifndef NO_RECOVERY
       :: is_recovering ->
          d_step {
            if
            :: (rows & 1) && !(marks & 1) -> hints[0]++; live++
            :: else
            fi;
            if
            :: (rows & 2) && !(marks & 2) -> hints[1]++; live++
            :: else
            fi;
            is_recovering = false
          }
#else
       :: is_recovering -> is_recovering = false
#endif
#ifndef NO_LOOK_AT_PREPARED
       :: d_step { !is_recovering && stored_span && !is_prepared && rows != 0 ->
            stored_span = false; hints[0]++; live++ }
#endif
       :: d_step { !is_recovering && is_parked -> is_parked = false; rows = rows | BIT(1) };
          post(1)
       :: atomic { !is_recovering && doubles > 0 && rows != 0 -> doubles--; version = 0 };
          look();              /* a segment is read again, while others go on */
          d_step {
            if
            :: is_ready -> hints[0]++
            :: else
            fi;
            is_ready = false
          }
       od
     } unless { boot != my_boot };
     d_step { is_ready = false; version = 0; my_boot = 0 }
  od
}

proctype terminate_worker(byte victim) {
end:
  do
  :: atomic { troubles > 0 && !doomed[victim] && claimed == victim -> troubles--; doomed[victim] = true }
  od
}

proctype crash() {
  bool is_lost;
end:
  do
  :: atomic {
       troubles > 0 -> troubles--;
       if
       :: unflushed -> is_lost = true
       :: is_lost = false
       fi;
       d_step {
         if
         :: is_lost -> effects--; marks = marks & ~BIT(unflushed_version)
         :: else
         fi;
         is_lost = false; unflushed = false; unflushed_version = 0;
         boot++; hints[0] = 0; hints[1] = 0; claimed = NOBODY; repeat = 0; live = 0;
         doomed[0] = false; doomed[1] = false;
         stored_span = is_prepared;
         is_recovering = true
       }
     }
  od
}

/* Nothing has to go wrong. */
proctype calm() {
end:
  d_step { troubles > 0 || doubles > 0 -> troubles = 0; doubles = 0 }
}

proctype at_rest() {
  timeout ->
  assert(effects == 1 && claimed == NOBODY && hints[0] == 0 && hints[1] == 0 &&
         (boot > 1 || live == 0))
}

init {
  atomic {
    run worker(0); run worker(1); run enqueue(); run scheduler_process(); run terminate_worker(0);
    run terminate_worker(1); run crash(); run calm(); run at_rest()
  }
}
