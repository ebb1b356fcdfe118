/*
 * The ring of the queue's segments: src/store/queue/hot.hpp and segments.hpp,
 * src/queue/upkeep/rotation.cpp and stragglers.cpp, src/store/queue/find.hpp.
 *
 * Two jobs are enqueued, each by a transaction that commits, rolls back, or is prepared. It appends its
 * row to the current segment, and keeps the lock of the segment until it ends. The scheduler opens the
 * other segment when it is free, copies the jobs of a sealed one, and empties a sealed one: it takes the
 * locks without waiting, and compares rows and end marks with a new snapshot. TRUNCATE takes rows away
 * from all snapshots, so a reader of all segments counts truncations. The scheduler may die between any
 * two steps. The server may crash, and with it the opening of a segment may be lost that was not flushed.
 *
 * Properties: no segment is emptied that has the row of a job which has not ended, or may be one after a
 * commit. No row is committed to a free segment, since nobody reads these after a crash. A reader finds
 * a job that was ready in its snapshot.
 *
 * Each guard is a part of the protocol between #ifndef NO_… and #endif. tools/check_models.sh takes
 * out one after the other, and a property must then fail.
 *
 * size: -DJOBS=1 -DREADERS=1 -DOPENINGS=2 -DCOPIES=1 -DTROUBLES=0
 * size: -DJOBS=1 -DREADERS=0 -DOPENINGS=2 -DCOPIES=1 -DTROUBLES=1
 * size: -DJOBS=2 -DREADERS=0 -DOPENINGS=2 -DCOPIES=0 -DTROUBLES=0
 * long: -DJOBS=2 -DREADERS=0 -DOPENINGS=2 -DCOPIES=1 -DTROUBLES=1
 * long: -DJOBS=1 -DREADERS=1 -DOPENINGS=3 -DCOPIES=1 -DTROUBLES=1
 * long: -DJOBS=2 -DREADERS=1 -DOPENINGS=2 -DCOPIES=1 -DTROUBLES=0
 * NO_READ_AT_START: -DJOBS=1 -DREADERS=0 -DOPENINGS=2 -DCOPIES=1 -DTROUBLES=1
 */

#define UNKNOWN 2
#define BIT(j) (1 << (j))

/* queue_segment */
#define FREE 0
#define CURRENT 1
#define SEALED 2
byte state[2];

/* queue_hot and queue_ended, by segment: sets of jobs */
byte present[2];               /* rows, also of open transactions */
byte visible[2];               /* committed rows */
byte marks[2];                 /* committed end marks */

/* Locks of the children */
byte writers[2];               /* ROW EXCLUSIVE, by enqueuer; a prepared transaction keeps it */
bool is_read[2];               /* ACCESS SHARE of the reader */
bool is_exclusive[2];          /* ACCESS EXCLUSIVE of the scheduler */

/* Shared memory */
byte current = UNKNOWN;
short live[2];                 /* jobs that have not ended, as far as they were posted */
byte truncations;

bool is_prepared[2];
byte committed;                /* enqueuers */
bool unflushed_opening;        /* a crash may undo the last opening */
bool scheduler_doomed;
bool must_count;               /* live is not exact */
byte boot = 1;
byte openings = OPENINGS, copies = COPIES, troubles = TROUBLES;

#define live_jobs(s) (visible[s] & ~marks[s])
#define count(set) (((set) & 1) + (((set) >> 1) & 1))

inline commit(j, k) {
  assert(state[k] != FREE && (present[k] & BIT(j)));
  visible[k] = visible[k] | BIT(j); committed = committed | BIT(j); unflushed_opening = false
}

proctype enqueue(byte j) {
  byte my_boot, k;
  atomic { current != UNKNOWN -> my_boot = boot };
  {
    true;
again:
    atomic { current != UNKNOWN -> k = current };             /* lock_current_segment() */
    atomic { !is_exclusive[k] -> writers[k] = writers[k] | BIT(j) };
#ifndef NO_SECOND_LOOK
    if
    :: d_step { current != k -> writers[k] = writers[k] & ~BIT(j); k = 0 };
       goto again
    :: current == k
    fi;
#endif
    present[k] = present[k] | BIT(j);                         /* append_jobs() */
    if
    :: commit(j, k);
       writers[k] = writers[k] & ~BIT(j);
       live[k]++                                              /* post() */
    :: d_step { present[k] = present[k] & ~BIT(j); writers[k] = writers[k] & ~BIT(j) }   /* rollback */
    :: d_step { is_prepared[j] = true; unflushed_opening = false }
    fi
  } unless { boot != my_boot };
  /* Another session ends the prepared transaction, also after a crash. */
  do
  :: is_prepared[j] ->
     my_boot = boot;
     {
       if
       :: d_step { commit(j, k); is_prepared[j] = false };
          writers[k] = writers[k] & ~BIT(j);
          live[k]++
       :: d_step { present[k] = present[k] & ~BIT(j); writers[k] = writers[k] & ~BIT(j); is_prepared[j] = false }
       fi
     } unless { boot != my_boot }
  :: !is_prepared[j] -> break
  od;
  k = 0
}

/* Workers: each job that is ready is done. */
proctype work() {
  byte my_boot, s;
  do
  :: my_boot = boot;
     {
       true;
end_asleep:
       do
       :: d_step {
            (live_jobs(0) && !is_exclusive[0]) || (live_jobs(1) && !is_exclusive[1]) ->
            s = ((live_jobs(0) && !is_exclusive[0]) -> 0 : 1);
            marks[s] = marks[s] | ((live_jobs(s) & 1) -> 1 : 2)
          };
          d_step { live[s]--; s = 0 }
       od
     } unless { boot != my_boot };
     s = 0
  od
}

/* find_job() for the first job, with a snapshot from before its locks */
proctype find() {
  byte my_boot = 1, counted, seen;
  bool found;
  {
    true;
again:
    counted = truncations;
    seen = (live_jobs(0) & 1) | ((live_jobs(1) & 1) << 1);    /* the snapshot: segments with the job */
    atomic { !is_exclusive[0] -> is_read[0] = true };
    found = (seen & 1) && (present[0] & 1);
    atomic { !is_exclusive[1] -> is_read[1] = true };
    found = found || ((seen & 2) && (present[1] & 1));
    d_step { is_read[0] = false; is_read[1] = false };
    if
#ifndef NO_COUNT_OF_TRUNCATIONS
    :: atomic { truncations != counted -> found = false; seen = 0; counted = 0 };
       goto again
    :: truncations == counted ->
#else
    :: true ->
#endif
       assert(found || seen == 0)
    fi
  } unless { boot != my_boot };
  atomic { seen = 0; found = false; counted = 0 }
}

inline empty_segment(s) {
#ifdef NO_SNAPSHOT_AFTER_LOCK
  has_ended = (visible[s] == marks[s]);
#endif
  if
  :: d_step {
#ifndef NO_LOCK
       writers[s] == 0 && !is_read[s] ->
#endif
       is_exclusive[s] = true };
#ifndef NO_SNAPSHOT_AFTER_LOCK
#ifndef NO_COMPARISON
     has_ended = (visible[s] == marks[s]);
#else
     has_ended = true;
#endif
#endif
     if
     :: has_ended ->
#ifndef NO_COUNT_BEFORE_COMMIT
        truncations++;
#endif
        d_step {               /* the commit */
          assert((present[s] & ~marks[s]) == 0);
          present[s] = 0; visible[s] = 0; marks[s] = 0; state[s] = FREE; has_ended = false
        }
     :: !has_ended
     fi;
     is_exclusive[s] = false
#ifdef NO_COUNT_BEFORE_COMMIT
     ;
     truncations++
#endif
#ifndef NO_LOCK
  :: d_step { writers[s] != 0 || is_read[s] -> has_ended = false }
#endif
  fi
}

/* Stragglers::copy(): a hold keeps workers away from the job, so this is one step. */
inline copy(s) {
  d_step {
    live_jobs(s) && !is_exclusive[1 - s] -> copies--;
    has_ended = (live_jobs(s) & 1);     /* the first job, or else the second one */
    present[1 - s] = present[1 - s] | (has_ended -> 1 : 2);
    visible[1 - s] = visible[1 - s] | (has_ended -> 1 : 2);
    marks[s] = marks[s] | (has_ended -> 1 : 2);
    has_ended = false
  };
  d_step { live[s]--; live[1 - s]++ }
}

proctype scheduler_process() {
  byte my_boot, next;
  bool has_ended;
  do
  :: d_step { scheduler_doomed = false; my_boot = boot };
     {
#ifndef NO_READ_AT_START
       current = (state[0] == CURRENT -> 0 : 1);              /* Rotation::read() */
#else
       current = (current == UNKNOWN -> (state[0] == CURRENT -> 0 : 1) : current);
#endif
       if
       :: d_step { must_count -> must_count = false; live[0] = count(live_jobs(0)); live[1] = count(live_jobs(1)) }
       :: !must_count
       fi;
end_asleep:
       do
       :: d_step {             /* Rotation::open() */
            openings > 0 && (state[0] == FREE || state[1] == FREE) -> openings--;
            next = (state[0] == FREE -> 0 : 1);
            state[next] = CURRENT; state[1 - next] = SEALED; unflushed_opening = true
          };
          d_step { current = next; next = 0 }
       :: state[0] == SEALED && live[0] <= 0 -> empty_segment(0)
       :: state[1] == SEALED && live[1] <= 0 -> empty_segment(1)
       :: atomic { copies > 0 && state[0] == SEALED && live_jobs(0) -> copy(0) }
       :: atomic { copies > 0 && state[1] == SEALED && live_jobs(1) -> copy(1) }
       od
     } unless { scheduler_doomed || boot != my_boot };
     d_step { is_exclusive[0] = false; is_exclusive[1] = false; next = 0; has_ended = false }
  od
}

proctype terminate_scheduler() {
end:
  do
  :: atomic { troubles > 0 && !scheduler_doomed -> troubles--; scheduler_doomed = true }
  od
}

proctype crash() {
  bool is_lost;
end:
  do
  :: atomic {
       troubles > 0 -> troubles--;
       if
       :: unflushed_opening -> is_lost = true
       :: is_lost = false
       fi;
       d_step {
         boot++;
         present[0] = visible[0] | ((is_prepared[0] -> 1 : 0) & present[0]) | ((is_prepared[1] -> 2 : 0) & present[0]);
         present[1] = visible[1] | ((is_prepared[0] -> 1 : 0) & present[1]) | ((is_prepared[1] -> 2 : 0) & present[1]);
         writers[0] = writers[0] & ((is_prepared[0] -> 1 : 0) | (is_prepared[1] -> 2 : 0));
         writers[1] = writers[1] & ((is_prepared[0] -> 1 : 0) | (is_prepared[1] -> 2 : 0));
         is_read[0] = false; is_read[1] = false; is_exclusive[0] = false; is_exclusive[1] = false;
         if
         :: is_lost && state[0] == CURRENT -> state[0] = FREE; state[1] = CURRENT
         :: is_lost && state[0] != CURRENT -> state[1] = FREE; state[0] = CURRENT
         :: else
         fi;
         is_lost = false; unflushed_opening = false;
         current = UNKNOWN; live[0] = 0; live[1] = 0; truncations = 0; must_count = true
       }
     }
  od
}

init {
  atomic {
    state[0] = CURRENT;
    run enqueue(0);
#if JOBS > 1
    run enqueue(1);
#endif
#if READERS
    run find();
#endif
    run work(); run scheduler_process(); run terminate_scheduler(); run crash()
  }
}
