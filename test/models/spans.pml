/*
 * The spans of ready jobs in the queue: src/core/queue/spans.cpp and ready_work.cpp. There a span has an
 * exact first part, instead of being precise or imprecise as a whole.
 *
 * One lane has room for two spans. Enqueuers post the ids of their jobs after their commits, in any
 * order. If no span is free, the post widens a span of the lane, which becomes imprecise. If all spans
 * are out, because workers read them, the post sets the bit `reread` of the segment. A worker that
 * finds no precise span takes an imprecise one out, scans the table in its range, and puts back the
 * first job that it found and the rest. It may be terminated between any two steps. The scheduler reads
 * the segment if the bit is set. Claims are in claims.pml; here a claim and its job are one step.
 *
 * Property: each committed job is covered by a span or the bit, or is done. In the end all are done.
 *
 * Each guard is a part of the protocol between #ifndef NO_… and #endif. tools/check_models.sh takes
 * out one after the other, and a job must then be lost.
 *
 * size: -DPAIRS=1 -DDEATHS=2
 * size: -DPAIRS=0 -DDEATHS=0
 * NO_CLEAR_BEFORE_SNAPSHOT: -DPAIRS=0 -DDEATHS=0
 */

#define SPANS 2
#define JOBS 6
#define NONE 255
#define IN_LANE 254            /* not out */
#define BIT(id) (1 << (id))

typedef Span {
  byte first = NONE;           /* NONE: the span is free */
  byte last;
  bool is_precise;
  byte reader = IN_LANE
};
Span spans[SPANS];
bool reread;

byte visible, done;            /* sets of jobs */
byte deaths = DEATHS;
bool doomed[2];

inline set_span(i, from, to, precise) {
  spans[i].first = from; spans[i].last = to; spans[i].is_precise = precise; spans[i].reader = IN_LANE
}
inline free_span(i) { set_span(i, NONE, 0, false) }

#ifndef NO_READ_SPAN_KEPT
#define may_widen(i) (spans[i].reader == IN_LANE)
#else
#define may_widen(i) true
#endif

/* Widens a span of the lane, or sets the bit. */
inline widen(i, from, to) {
  spans[i].last = (to > spans[i].last -> to : spans[i].last);
#ifndef NO_COVER_OF_LOWER_IDS
  spans[i].first = (from < spans[i].first -> from : spans[i].first);
#endif
  spans[i].is_precise = false
}

/* Puts the ids from..to into the lane. REQUIRES: in a d_step, which stands for the lock. */
inline put(from, to, precise) {
  if
  :: spans[0].first == NONE -> set_span(0, from, to, precise)
  :: spans[0].first != NONE && spans[1].first == NONE -> set_span(1, from, to, precise)
  :: spans[0].first != NONE && spans[1].first != NONE && may_widen(1) -> widen(1, from, to)
  :: spans[0].first != NONE && spans[1].first != NONE && !may_widen(1) && may_widen(0) ->
     widen(0, from, to)
  :: else ->
#ifndef NO_REREAD_BIT
     reread = true
#else
     skip
#endif
  fi
}

/* A transaction that enqueues the jobs from..to */
proctype enqueue(byte from; byte to) {
  byte id;
  d_step {                     /* the commit is visible */
    id = from;
    do
    :: id <= to -> visible = visible | BIT(id); id++
    :: else -> break
    od;
    id = 0
  };
  d_step { put(from, to, true) }
}

/* The lowest visible job without an end mark in first..last, from a new snapshot, and the last one */
inline scan(first_id, last_id) {
  found = NONE; id = first_id;
  do
  :: id <= last_id ->
     if
     :: (visible & ~done & BIT(id)) && found == NONE -> found = id; last_found = id
     :: (visible & ~done & BIT(id)) && found != NONE -> last_found = id
     :: else
     fi;
     id++
  :: else -> break
  od;
  id = 0
}

#define is_ready(i) (spans[i].first != NONE && spans[i].reader == IN_LANE)

proctype worker(byte self) {
  byte i, id, found = NONE, last_found;
  bool is_out;
  do
  :: true ->
     {
       true;
end_asleep:
       do
       :: d_step {             /* claims the first job of a precise span, and does it */
            (is_ready(0) && spans[0].is_precise) || (is_ready(1) && spans[1].is_precise) ->
            i = ((is_ready(0) && spans[0].is_precise) -> 0 : 1);
            done = done | (visible & BIT(spans[i].first));
            if
            :: spans[i].first < spans[i].last -> spans[i].first++
            :: else -> free_span(i)
            fi;
            i = 0
          }
       :: d_step {             /* takes an imprecise span out */
            !(is_ready(0) && spans[0].is_precise) && !(is_ready(1) && spans[1].is_precise) &&
            (is_ready(0) || is_ready(1)) ->
            i = (is_ready(0) -> 0 : 1);
#ifdef NO_TAKE_BEFORE_SNAPSHOT
            scan(spans[i].first, spans[i].last)
          };
          d_step {
            if
            :: is_ready(i) && !spans[i].is_precise -> spans[i].reader = self; is_out = true
            :: else -> found = NONE; last_found = 0; i = 0
            fi
          };
          if
          :: !is_out -> goto end_asleep
          :: else
          fi;
#else
            spans[i].reader = self; is_out = true
          };
          d_step { scan(spans[i].first, spans[i].last) };
#endif
          d_step {             /* puts it back */
            if
            :: found == NONE -> free_span(i)
            :: found != NONE ->
               set_span(i, found, found, true);
#ifndef NO_REST
               if
               :: found < last_found -> put(found + 1, last_found, false)
               :: else
               fi
#endif
            fi;
            found = NONE; last_found = 0; i = 0; is_out = false
          }
       od
     } unless { doomed[self] };
     d_step {                  /* before_shmem_exit: the span goes back as it was */
#ifndef NO_RETURN
       if
       :: is_out -> spans[i].reader = IN_LANE
       :: else
       fi;
#endif
       doomed[self] = false; found = NONE; last_found = 0; i = 0; id = 0; is_out = false
     }
  od
}

/* The scheduler reads the segment whose bit is set. */
proctype read_again() {
  byte id, found = NONE, last_found;
end:
  do
#ifndef NO_CLEAR_BEFORE_SNAPSHOT
  :: d_step { reread -> reread = false };
     d_step { scan(0, JOBS - 1) };
#else
  :: d_step { reread -> scan(0, JOBS - 1) };
     reread = false;
#endif
     d_step {
       if
       :: found != NONE -> put(found, last_found, false)
       :: else
       fi;
       found = NONE; last_found = 0
     }
  od
}

proctype terminate_worker(byte victim) {
end:
  do
  :: atomic {
       deaths > 0 && !doomed[victim] && (spans[0].reader == victim || spans[1].reader == victim) ->
       deaths--; doomed[victim] = true
     }
  od
}

/* Nothing has to go wrong. */
proctype calm() {
end:
  d_step { deaths > 0 -> deaths = 0 }
}

proctype at_rest() {
  timeout ->
  assert(done == BIT(JOBS) - 1 && spans[0].first == NONE && spans[1].first == NONE && !reread)
}

init {
  atomic {
#if PAIRS
    run enqueue(0, 0); run enqueue(1, 2); run enqueue(3, 3); run enqueue(4, 4); run enqueue(5, 5);
#else
    run enqueue(0, 0); run enqueue(1, 1); run enqueue(2, 2); run enqueue(3, 3); run enqueue(4, 4);
    run enqueue(5, 5);
#endif
    run worker(0); run worker(1);
    run read_again(); run terminate_worker(0); run terminate_worker(1); run calm(); run at_rest()
  }
}
