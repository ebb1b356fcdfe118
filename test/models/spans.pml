/*
 * The spans of ready jobs in the queue: src/core/queue/spans.cpp and ready_work.cpp,
 * src/queue/upkeep/rereads.cpp.
 *
 * One lane has room for one or two spans of one segment. Enqueuers post the ids of their jobs after their
 * commits, in any order. The first job was enqueued before the server started. A span covers the ids
 * first..last, and those up to exact_last are known to be jobs of the lane. If no span is free, a post
 * widens one of the lane. If all spans are out, because workers read them, the segment is wanted for a
 * reread. A worker claims the first job of a span that has an exact part. If there is none, it takes a span
 * out, looks for the first job of the table in its range, and puts back that job and the rest. The
 * scheduler reads the segment if it is wanted. Both may be terminated between any two steps. The server may
 * crash, and then memory is new and sessions are gone. Claims, and ends that a crash undoes, are in
 * claims.pml; here a claim and its job are one step.
 *
 * Property: each committed job is covered by a span or a reread, or is done. In the end all are done.
 *
 * Each guard is a part of the protocol between #ifndef NO_… and #endif. tools/check_models.sh takes
 * out one after the other, and a job must then be lost.
 *
 * size: -DSPANS=1 -DJOBS=4 -DPAIR=0 -DTROUBLES=1
 * size: -DSPANS=2 -DJOBS=4 -DPAIR=0 -DTROUBLES=0
 * long: -DSPANS=1 -DJOBS=4 -DPAIR=0 -DTROUBLES=2
 * long: -DSPANS=1 -DJOBS=5 -DPAIR=1 -DTROUBLES=1
 * long: -DSPANS=2 -DJOBS=5 -DPAIR=1 -DTROUBLES=1
 * long: -DSPANS=2 -DJOBS=5 -DPAIR=0 -DTROUBLES=0
 */

#define NONE 255
#define IN_LANE 254            /* not out */
#define NOWHERE 253
#define BIT(id) (1 << (id))

typedef Span {
  byte first = NONE;           /* NONE: the span is free */
  byte exact_last;             /* exact_last + 1 == first: there is no exact part */
  byte last;
  byte reader = IN_LANE
};
Span spans[2];                 /* with SPANS=1, the second one is never free and covers nothing */
bool wanted, begun;            /* rereads_wanted_, rereads_begun_ */
bool is_new = true;            /* the server has started: no span covers the first job */
bool is_wished;                /* a wish that only the scheduler knows */

byte visible = BIT(0), done;   /* sets of jobs */
byte boot = 1;
byte troubles = TROUBLES;
bool doomed[3];

#define SCHEDULER 2
#define is_there(i) (spans[i].first != NONE && spans[i].reader == IN_LANE)
#define has_exact(i) (is_there(i) && spans[i].exact_last >= spans[i].first)

inline set_span(n, start, exact, stop) {
  spans[n].first = start; spans[n].exact_last = exact; spans[n].last = stop; spans[n].reader = IN_LANE
}
inline free_span(m) { set_span(m, NONE, 0, 0) }

#ifndef NO_READ_SPAN_KEPT
#define may_widen(n) (n < SPANS && spans[n].reader == IN_LANE)
#else
#define may_widen(n) (n < SPANS)
#endif

/* Spans::widen() and joins(), or the bit. REQUIRES: no span is free. */
inline widen(n, low, high) {
  if
  :: spans[n].exact_last == spans[n].last && spans[n].last + 1 == low ->
     spans[n].exact_last = high; spans[n].last = high
  :: else ->
#ifndef NO_COVER_OF_LOWER_IDS
     spans[n].exact_last = (low < spans[n].first -> high : spans[n].exact_last);
     spans[n].first = (low < spans[n].first -> low : spans[n].first);
#endif
     spans[n].last = (high > spans[n].last -> high : spans[n].last)
  fi
}

/* Spans::append() and prepend(): puts the jobs from..to into the lane. REQUIRES: in a d_step, which
 * stands for the lock. */
inline put(from, to, a, b) {
  if
  :: spans[a].first == NONE -> set_span(a, from, to, to)
  :: spans[a].first != NONE && spans[b].first == NONE -> set_span(b, from, to, to)
  :: spans[a].first != NONE && spans[b].first != NONE && may_widen(b) -> widen(b, from, to)
  :: spans[a].first != NONE && spans[b].first != NONE && !may_widen(b) && may_widen(a) -> widen(a, from, to)
  :: else ->
#ifndef NO_REREAD
     wanted = true
#else
     skip
#endif
  fi
}
#define append(low, high) put(low, high, 0, 1)
#define prepend(low, high) put(low, high, 1, 0)

/* A transaction that enqueues the jobs from..to. One that a crash aborts is tried again. */
proctype enqueue(byte from; byte to) {
  byte id, my_boot;
  d_step {                     /* the commit is visible */
    my_boot = boot; id = from;
    do
    :: id <= to -> visible = visible | BIT(id); id++
    :: else -> break
    od;
    id = 0
  };
  d_step {
    if
    :: boot == my_boot -> append(from, to)
    :: else                    /* the session has died before its post */
    fi;
    my_boot = 0
  }
}

/* The lowest visible job without an end mark in from..to, from a new snapshot */
inline scan(from, to) {
  found = NONE; id = from;
  do
  :: id <= to && found == NONE ->
     if
     :: visible & ~done & BIT(id) -> found = id
     :: else
     fi;
     id++
  :: else -> break
  od;
  id = 0
}

proctype worker(byte self) {
  byte i, id, found = NONE, my_boot;
  bool is_out;
  do
  :: my_boot = boot;
     {
       true;
end_asleep:
       do
       :: d_step {             /* claims the first job of a span, and does it: Spans::advance() */
            has_exact(0) || has_exact(1) ->
            i = (has_exact(0) -> 0 : 1);
            done = done | (visible & BIT(spans[i].first));
            if
            :: spans[i].first < spans[i].last -> spans[i].first++
            :: else -> free_span(i)
            fi;
            i = 0
          }
       :: d_step {             /* take_to_read() */
            !has_exact(0) && !has_exact(1) && (is_there(0) || is_there(1)) ->
            i = (is_there(0) -> 0 : 1);
#ifdef NO_TAKE_BEFORE_SNAPSHOT
            scan(spans[i].first, spans[i].last)
          };
          d_step {
            if
            :: is_there(i) && !has_exact(i) -> spans[i].reader = self; is_out = true
            :: else -> found = NONE; i = 0
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
          d_step {             /* put_back() */
            if
            :: found != NONE && found < spans[i].last ->
#ifndef NO_REST
               set_span(i, found + 1, found, spans[i].last)
#else
               free_span(i)
#endif
            :: else -> free_span(i)
            fi;
            if
            :: found != NONE -> prepend(found, found)
            :: else
            fi;
            found = NONE; i = 0; is_out = false
          }
       od
     } unless { doomed[self] || boot != my_boot };
     d_step {                  /* leave(): the span goes back as it was */
#ifndef NO_RETURN
       if
       :: is_out && boot == my_boot -> spans[i].reader = IN_LANE
       :: else
       fi;
#endif
       doomed[self] = false; found = NONE; i = 0; id = 0; is_out = false
     }
  od
}

/* Rereads of the segment by the scheduler */
proctype scheduler_process() {
  byte id, found = NONE, until, my_boot;
  do
  :: d_step {
       my_boot = boot;
       doomed[SCHEDULER] = false; found = NONE; id = 0; until = 0; is_wished = false;
#ifndef NO_ABANDONED_REREAD
       wanted = wanted || begun;                              /* abandon_rereads() */
#endif
       begun = false
     };
     d_step {
#ifndef NO_SHARED_WISH
       wanted = wanted || is_new;
#else
       is_wished = is_new;
#endif
       is_new = false                                         /* the queue is open from now on */
     };
     {
       true;
end_asleep:
       do
       ::
#ifndef NO_BEGIN_BEFORE_SNAPSHOT
          d_step { wanted || is_wished -> wanted = false; is_wished = false; begun = true };  /* begin_reread() */
#else
          wanted;
#endif
          do                   /* reads in parts of one job */
          :: d_step { scan(until, JOBS - 1) };
             d_step {
               if
               :: found != NONE -> append(found, found); until = found + 1
               :: else -> until = JOBS
               fi;
               found = NONE
             };
             if
             :: until == JOBS -> until = 0; break
             :: until != JOBS
             fi
          od;
#ifndef NO_BEGIN_BEFORE_SNAPSHOT
          begun = false                                       /* end_reread() */
#else
          wanted = false
#endif
       od
     } unless { doomed[SCHEDULER] || boot != my_boot }
  od
}

proctype terminate(byte victim) {
end:
  do
  :: atomic {
       troubles > 0 && !doomed[victim] &&
       (spans[0].reader == victim || spans[1].reader == victim || (victim == SCHEDULER && (begun || is_wished))) ->
       troubles--; doomed[victim] = true
     }
  od
}

proctype crash() {
end:
  do
  :: d_step {
       troubles > 0 -> troubles--;
       boot++; free_span(0);
#if SPANS == 2
       free_span(1);
#endif
       wanted = false; begun = false; is_wished = false;
       doomed[0] = false; doomed[1] = false; doomed[SCHEDULER] = false;
#ifndef NO_READ_AFTER_CRASH
       is_new = true
#else
       is_new = false
#endif
     }
  od
}

/* Nothing has to go wrong. */
proctype calm() {
end:
  d_step { troubles > 0 -> troubles = 0 }
}

proctype at_rest() {
  timeout ->
  assert(done == BIT(JOBS) - 1 && spans[0].first == NONE && (SPANS == 1 || spans[1].first == NONE) && !wanted && !begun)
}

init {
  atomic {
#if SPANS == 1
    spans[1].first = 0; spans[1].reader = NOWHERE;
#endif
#if PAIR
    run enqueue(1, 2);
#else
    run enqueue(1, 1); run enqueue(2, 2);
#endif
    run enqueue(3, 3);
#if JOBS > 4
    run enqueue(4, 4);
#endif
#if JOBS > 5
    run enqueue(5, 5);
#endif
    run worker(0); run worker(1);
    run scheduler_process(); run terminate(0); run terminate(1); run terminate(SCHEDULER); run crash(); run calm();
    run at_rest()
  }
}
