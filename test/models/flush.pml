/*
 * Flushes of the queue (metrics_refresh.queue_flush = shared): src/queue/upkeep/dependencies.cpp and
 * batches.cpp, src/shmem/queue/awaited.hpp, NOTIFY, wait_job(); the design of the queue, section 4.
 *
 * A worker commits a job without a flush, and flushes later. After the commit it posts the end with the
 * position of its record in WAL. Others hear of the end from the post, or see it in the tables, perhaps
 * before the post. They flush before they tell it to the outside. The scheduler releases a job that waits
 * for the first one, and a worker of that job tells the outside by its work. A failed attempt is
 * committed with a flush. The server may crash. Then each record after some flushed position is lost.
 *
 * Properties: an end that was told to the outside is not lost. An attempt that has failed is not lost,
 * so that no job gets more attempts than it may.
 *
 * Each guard is a part of the protocol between #ifndef NO_… and #endif. tools/check_models.sh takes
 * out one after the other, and a property must then fail.
 *
 * size: -DCRASHES=2 -DFAILURES=1
 * long: -DCRASHES=3 -DFAILURES=2
 */

/* WAL: positions of records count from 1 */
byte wal, flushed;
byte end_at, release_at, second_end_at, failure_at;  /* visible transactions, by their record; 0: none */

/* Shared memory */
byte posted;                   /* AwaitedEnd::lsn, SchedulerNews::last_end; 0: none */

bool is_told;                  /* the outside knows that the first job has ended */
bool has_failed;               /* an attempt has failed, and the worker has gone on */
byte boot = 1;
byte crashes = CRASHES, failures = FAILURES;

inline flush(to) { d_step { flushed = (flushed < (to) -> (to) : flushed) } }

proctype worker() {
  byte my_boot, record;
  do
  :: end_at == 0 || (release_at != 0 && second_end_at == 0) ->
     my_boot = boot;
     {
       if
       :: d_step { end_at == 0 -> wal++; end_at = wal };       /* commits: visible, not flushed */
          d_step { posted = end_at }                           /* end() */
       :: atomic { end_at == 0 && failures > 0 -> failures--; wal++; record = wal };
#ifndef NO_FLUSHED_FAILURE
          flush(record);
#endif
          d_step { failure_at = record; has_failed = true; record = 0 }
       :: atomic { end_at != 0 && release_at != 0 && second_end_at == 0 };
          is_told = true;                                      /* the handler of the second job */
          d_step { wal++; second_end_at = wal }
       fi
     } unless { boot != my_boot };
     record = 0
  :: flush(wal)                                                /* the worker becomes idle */
end_asleep:
     (end_at == 0 || (release_at != 0 && second_end_at == 0) || flushed < wal)
  od
}

/* Dependencies::settle(), and Batches::end(): after a post, or in a pass over all */
proctype scheduler_process() {
  byte my_boot, record, to;
  do
  :: my_boot = boot;
     {
       true;
end_asleep:
       do
       :: release_at == 0 && end_at != 0 ->
#ifndef NO_FLUSHED_RELEASE
          d_step { wal++; record = wal };                      /* commits: flushes before it is visible */
          flush(record);
#else
          flush(posted);
          d_step { wal++; record = wal };
#endif
          d_step { release_at = record; record = 0 }
       :: atomic { posted != 0 && !is_told -> to = posted };   /* NOTIFY */
#ifndef NO_FLUSH_BEFORE_NOTIFY
          flush(to);
#endif
          d_step { is_told = true; to = 0 }
       od
     } unless { boot != my_boot };
     d_step { record = 0; to = 0 }
  od
}

/* wait_job(): hears of the end from the ring, or sees it in the tables */
proctype wait_for_job() {
  byte my_boot, to;
  atomic { end_at != 0 -> my_boot = boot };
  {
    if
    :: d_step { posted != 0 -> to = posted }
#ifndef NO_FLUSH_OF_ALL
    :: to = wal                                                /* the end of WAL, after the look */
#else
    :: to = posted
#endif
    fi;
#ifndef NO_FLUSH_BEFORE_ANSWER
    flush(to);
#endif
    is_told = true
  } unless { boot != my_boot };
  d_step { my_boot = 0; to = 0 }
}

#define is_lost(at) ((at) > kept)

proctype crash() {
  byte kept;
end:
  do
  :: atomic {
       crashes > 0 -> crashes--;
       kept = flushed;
       do
       :: kept < wal -> kept++
       :: break
       od;
       assert(!(is_told && is_lost(end_at)) && !(has_failed && is_lost(failure_at)));
       d_step {
         boot++;
         end_at = (is_lost(end_at) -> 0 : end_at);
         release_at = (is_lost(release_at) -> 0 : release_at);
         second_end_at = (is_lost(second_end_at) -> 0 : second_end_at);
         failure_at = (is_lost(failure_at) -> 0 : failure_at);
         wal = kept; flushed = kept; posted = 0; kept = 0
       };
       /* WAL has an order: what depends on a record is lost with it. */
       assert((release_at == 0 || end_at != 0) && (second_end_at == 0 || release_at != 0))
     }
  od
}

init {
  atomic { run worker(); run scheduler_process(); run wait_for_job(); run crash() }
}
