/*
 * The ends of jobs that others await: src/shmem/queue/awaited.cpp, src/queue/upkeep/dependencies.cpp,
 * and wait_job().
 *
 * A job waits for two others (`after`), and a session for the first of them. A filter in shared memory
 * has the numbers of awaited jobs. A worker looks at the filter after its commit is visible, and puts
 * the end into a ring, which has room for one here. The scheduler adds the jobs that others wait for to
 * the filter, and looks after that, with a new snapshot, which of them have ended. It does so for all
 * when it starts, when such a job is enqueued, and when ends were lost. The filter may be full; then it
 * is emptied. The scheduler may die between any two steps, or be unable to read the tables. The server
 * may crash. Then the session is gone.
 *
 * Properties: in the end the job is released if both others are completed, and canceled if one of them
 * was stopped, once. In the end the session has its answer.
 *
 * Each guard is a part of the protocol between #ifndef NO_… and #endif. tools/check_models.sh takes
 * out one after the other, and a property must then fail.
 *
 * size: -DWAITERS=1 -DSESSIONS=0 -DTROUBLES=1 -DFILLINGS=0
 * size: -DWAITERS=1 -DSESSIONS=0 -DTROUBLES=0 -DFILLINGS=1
 * size: -DWAITERS=0 -DSESSIONS=1 -DTROUBLES=0 -DFILLINGS=1
 * long: -DWAITERS=0 -DSESSIONS=1 -DTROUBLES=1 -DFILLINGS=1
 * long: -DWAITERS=1 -DSESSIONS=0 -DTROUBLES=1 -DFILLINGS=1
 * long: -DWAITERS=1 -DSESSIONS=1 -DTROUBLES=0 -DFILLINGS=1
 * NO_NEW_RING: -DWAITERS=0 -DSESSIONS=1 -DTROUBLES=0 -DFILLINGS=1
 * NO_PREPARE_BEFORE_CHECK: -DWAITERS=0 -DSESSIONS=1 -DTROUBLES=0 -DFILLINGS=0
 */

#define NONE 255
#define BOTH 3
#define BIT(p) (1 << (p))

/* The tables, as a new snapshot sees them */
byte ended, stopped;           /* sets of the two jobs; stopped ones have ended, too */
byte awaited;                  /* queue_dependency: the rows of the third job */
byte releases, cancels;        /* of the third job */
bool is_enqueued;

/* Shared memory. Each d_step on it is done under the lock of the queue. */
byte filter;
byte ring_begin, ring_end, ring;  /* positions of the oldest and the next end; the last end */
bool dependency_news, awaited_news;
bool is_new = true;            /* the place was made anew */

bool is_prepared, is_woken;    /* the session on the condition variable */
bool has_answer;
bool scheduler_doomed;
byte boot = 1;
byte troubles = TROUBLES, fillings = FILLINGS;

#define oldest (ring_end - ring_begin > 1 -> ring_end - 1 : ring_begin)

inline broadcast() { is_woken = is_woken || is_prepared }

proctype worker(byte p) {
  byte my_boot;
  bool is_told;
  do
  :: !(ended & BIT(p)) ->
     my_boot = boot;
     {
#ifndef NO_LOOK_AFTER_COMMIT
       if
       :: ended = ended | BIT(p)
       :: p == 0 -> d_step { ended = ended | BIT(p); stopped = stopped | BIT(p) }
       fi;
       d_step {                /* tell_end() */
         is_told = (filter & BIT(p)) != 0;
#else
       is_told = (filter & BIT(p)) != 0;
       ended = ended | BIT(p);
       d_step {
#endif
         if
         :: is_told -> ring_end++; ring = p; awaited_news = true
         :: else
         fi
       };
       if
       :: d_step { is_told -> broadcast(); is_told = false }
       :: !is_told
       fi
     } unless { boot != my_boot }
  :: ended & BIT(p) -> break
  od;
  atomic { is_told = false; my_boot = 0 }
}

/* enqueue(after => …). A transaction that a crash aborts is tried again. */
proctype enqueue() {
  byte my_boot;
  do
  :: !is_enqueued ->
     my_boot = boot;
     {
#ifdef NO_NEWS_AFTER_COMMIT
       dependency_news = true;
#endif
       d_step { is_enqueued = true; awaited = BOTH };
#ifndef NO_NEWS_AFTER_COMMIT
       dependency_news = true                         /* post(): has_dependencies */
#endif
     } unless { boot != my_boot }
  :: is_enqueued -> break
  od;
  my_boot = 0
}

/* wait_job() for the first job */
proctype wait_for_job() {
  byte position;
  bool is_found;
  {
    true;
#ifndef NO_PREPARE_BEFORE_CHECK
    is_prepared = true;                               /* prepare_for_awaited() */
#endif
await:
    atomic { filter = filter | 1; position = ring_end };  /* await() */
    if
    :: ended & 1 -> goto answer                       /* with a new snapshot */
    :: else
    fi;
check:
    if                                                /* awaited_ends() */
#ifndef NO_LOOK_AFTER_LOSS
    :: d_step { position < oldest -> position = 0 };
       goto await
#endif
    :: d_step { position >= oldest && position < ring_end -> position = ring_end; is_found = (ring == 0) };
       if
       :: is_found -> goto answer
       :: !is_found -> goto check
       fi
    :: d_step { position >= oldest && position == ring_end -> skip }
#ifdef NO_LOOK_AFTER_LOSS
    :: d_step { position < oldest -> position = ring_end }
#endif
    fi;
#ifdef NO_PREPARE_BEFORE_CHECK
    is_prepared = true;
#endif
    d_step { is_woken -> is_woken = false };          /* sleep_until_awaited() */
    goto check;
answer:
    assert(ended & 1);
    atomic { has_answer = true; is_prepared = false; is_woken = false }
  } unless { boot > 1 };
  atomic { has_answer = true; position = 0; is_found = false; is_prepared = false; is_woken = false }
}

/* Dependencies::settle(): one transaction. Jobs that have ended are awaited no more. */
inline settle(jobs) {
  if
  :: atomic { troubles > 0 -> troubles--; has_settled = false }
  :: d_step {
       if
       :: awaited & (jobs) & ended & stopped -> cancels++; awaited = 0
       :: else ->
          if
          :: (awaited & (jobs) & ended) != 0 ->
             awaited = awaited & ~((jobs) & ended);
             if
             :: awaited == 0 -> releases++
             :: else
             fi
          :: else
          fi
       fi;
       has_settled = true
     }
  fi
}

proctype scheduler_process() {
  byte my_boot, position = NONE, jobs, unsettled, until;
  bool pass_due, is_in_pass, wants_another, ends_due, has_settled;
  do
  :: d_step { my_boot = boot; scheduler_doomed = false };
     {
       d_step {
#ifndef NO_PASS_AT_START
         pass_due = true;
#else
         pass_due = is_new;
#endif
         is_new = false
       };
end_asleep:
       do
       :: d_step { dependency_news -> dependency_news = false; wants_another = true; pass_due = pass_due || !is_in_pass }
       :: d_step { awaited_news -> awaited_news = false; ends_due = true }
       :: atomic { pass_due -> pass_due = false };    /* go_on_with_pass() */
          if
          :: atomic { !is_in_pass -> is_in_pass = true; until = 0; wants_another = false };
             if
             :: atomic { fillings > 0 -> fillings--; filter = 0;        /* empty_filter() */
#ifndef NO_NEW_RING
                  ring_end++; ring_begin = ring_end;
#endif
                  broadcast(); position = NONE }
             :: true
             fi
          :: is_in_pass
          fi;
          jobs = awaited & BIT(until);                /* read_predecessors(): one at a time */
#ifndef NO_AWAIT_BEFORE_LOOK
          d_step {                                    /* await() */
            filter = filter | jobs;
            position = (position == NONE -> ring_end : position)
          };
          settle(jobs);
#else
          settle(jobs);
          d_step {
            filter = filter | jobs;
            position = (position == NONE -> ring_end : position)
          };
#endif
          d_step {
            if
            :: !has_settled || until == 0 -> pass_due = true; until = (has_settled -> 1 : until)
            :: else ->
               is_in_pass = false; until = 0;
#ifndef NO_SECOND_PASS
               pass_due = wants_another
#endif
            fi;
            jobs = 0; has_settled = false
          }
       :: atomic { ends_due -> ends_due = false; jobs = unsettled; unsettled = 0 };   /* take_ends() */
          d_step {
            if
            :: position != NONE && position < oldest ->
               position = ring_end;
#ifndef NO_LOOK_AFTER_LOSS
               wants_another = true; pass_due = pass_due || !is_in_pass
#endif
            :: position != NONE && position >= oldest && position < ring_end ->
               jobs = jobs | BIT(ring); position = ring_end
            :: else
            fi
          };
          if
          :: jobs != 0 ->
             settle(jobs);
             d_step {
               if
               :: !has_settled -> unsettled = jobs; ends_due = true
               :: else
               fi;
               jobs = 0; has_settled = false
             }
          :: jobs == 0
          fi
       od
     } unless { scheduler_doomed || boot != my_boot };
     d_step {
       position = NONE; jobs = 0; unsettled = 0; until = 0; pass_due = false; is_in_pass = false; wants_another = false;
       ends_due = false; has_settled = false
     }
  od
}

proctype terminate_scheduler() {
end:
  do
  :: atomic { troubles > 0 && !scheduler_doomed -> troubles--; scheduler_doomed = true }
  od
}

proctype crash() {
end:
  do
  :: d_step {
       troubles > 0 -> troubles--;
       boot++; filter = 0; ring_begin = 0; ring_end = 0; ring = 0; dependency_news = false; awaited_news = false;
       is_new = true
     }
  od
}

/* Nothing has to go wrong. */
proctype calm() {
end:
  d_step { troubles > 0 || fillings > 0 -> troubles = 0; fillings = 0 }
}

proctype at_rest() {
  timeout ->
  assert(has_answer == SESSIONS && releases == (stopped == 0 -> WAITERS : 0) &&
         cancels == (stopped == 0 -> 0 : WAITERS))
}

init {
  atomic {
    run worker(0); run worker(1); run scheduler_process();
#if WAITERS
    run enqueue();
#else
    filter = 2;                /* the bits of the second job are set for others */
#endif
#if SESSIONS
    run wait_for_job();
#endif
    run terminate_scheduler(); run crash(); run calm(); run at_rest()
  }
}
