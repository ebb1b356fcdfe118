/*
 * The counts of changes, and the decision to skip a view: src/shmem/change_watch.cpp,
 * src/shmem/change_counters.cpp, src/engine/skip/freshness.cpp.
 *
 * Two writers change a table that a view reads. Each commits, rolls back, or prepares its transaction.
 * A refresh reads the counts, takes its snapshot, and stores the counts that it saw. Another session
 * writes the view from an older snapshot, as core's REFRESH does at repeatable read. The place of the
 * table may be given to another table. The server may crash once, between any two steps.
 *
 * Property: if a look finds the view fresh, the view contains every change that was visible when the
 * look read the counts. No committed change is missed.
 *
 * Each guard is a part of the protocol between #ifndef NO_… and #endif. tools/check_models.sh takes
 * out one after the other, and a change must then be missed.
 *
 * size: -DWRITERS=2 -DREFRESHES=2 -DTROUBLES=0
 * size: -DWRITERS=1 -DREFRESHES=2 -DTROUBLES=2
 * size: -DWRITERS=2 -DREFRESHES=1 -DTROUBLES=1
 * NO_EPOCH: -DWRITERS=1 -DREFRESHES=2 -DTROUBLES=2
 * NO_SERIAL: -DWRITERS=1 -DREFRESHES=2 -DTROUBLES=2
 * NO_VIEW_COUNT: -DWRITERS=1 -DREFRESHES=2 -DTROUBLES=2
 */

#define NOWHERE 2
#define BIT(i) (1 << (i))

/* Parts of the fingerprint: change_epoch() and TrackedTable::serial. */
#ifndef NO_EPOCH
#define SAME_START (was_boot == boot)
#else
#define SAME_START true
#endif
#ifndef NO_SERIAL
#define SAME_PLACE (was_serial == now_serial)
#else
#define SAME_PLACE true
#endif

/* The server. A change is one bit. */
byte boot = 1;                 /* start of the server; change_epoch() identifies it */
byte committed;                /* commit record written: survives a crash */
byte visible;                  /* removed from the list of running transactions */
byte prepared;                 /* pg_prepared_xacts: survives a crash */
byte next_xid = 1;
byte xid[2];                   /* 0: not running */

/* shmem/change_counters.hpp */
bool counters_locked;          /* ChangeCounters::lock, held exclusively */
bool is_current[2];           /* is_watched_current() of each writer: `version` is as in its copy */
byte serials;
bool tracked;                  /* TrackedTable of the table: */
byte place;
byte serial;
byte since;
byte begun[2];                 /* by place; they never decrease */
byte ended[2];
byte view_begun;               /* the same count for the rows of the view */

/* The view, and its row in view_state. Both survive a crash. */
bool view_locked;
byte content;
bool stored;                   /* a fingerprint is stored, and these are its parts */
byte stored_boot, stored_serial, stored_count, stored_view;

byte troubles = TROUBLES;       /* how many of the last three processes below may still act */

/* copy_watched() */
inline copy_watched() {
  atomic {
    !counters_locked;
    is_current[i] = true;
    if
    :: tracked -> own_place = place
    :: else -> own_place = NOWHERE
    fi
  }
}

/* count_begun(): the version is compared without the lock, and the counter is an atomic. */
inline count_begun() {
  if
  :: !is_current[i] -> copy_watched()
  :: else
  fi;
  if
  :: own_place != NOWHERE -> begun[own_place]++
  :: else
  fi
}

/* count_ended() */
inline count_ended() {
  if
  :: own_place != NOWHERE -> ended[own_place]++
  :: else
  fi
}

/* ProcArrayEndTransaction() and ProcArrayRemove(): the snapshot rule of the server. */
inline make_visible(i) { d_step { visible = visible | BIT(i); xid[i] = 0 } }

proctype writer(byte i) {
  byte my_boot, own_place = NOWHERE;
  atomic { my_boot = boot };
  {
    if
    :: i == 0 -> copy_watched()   /* an earlier transaction of the process did this */
    :: true
    fi;
    d_step { xid[i] = next_xid; next_xid++ };    /* writes rows, with a lock on the table */
#ifndef NO_BEGUN_BEFORE_COMMIT
    count_begun();             /* on_transaction(): PRE_COMMIT or PRE_PREPARE */
#endif
    if
    :: committed = committed | BIT(i);
#ifdef NO_ENDED_AFTER_VISIBLE
       count_ended();
       make_visible(i);
#else
       make_visible(i);
       count_ended();          /* on_transaction(): COMMIT comes after the change is visible */
#endif
#ifdef NO_BEGUN_BEFORE_COMMIT
       count_begun();
#endif
    :: i == 0 -> xid[i] = 0;   /* an error after PRE_COMMIT */
       count_ended()           /* on_transaction(): ABORT */
    :: i == 0 -> prepared = prepared | BIT(i);
       count_ended();          /* on_transaction(): PREPARE comes after the listing */
       goto done
    fi
  } unless { boot != my_boot };
done:
  /* Another session ends the prepared transaction, also after a crash. It counts nothing. */
  do
  :: prepared & BIT(i) ->
     my_boot = boot;
     {
       if
       :: committed = committed | BIT(i);
          make_visible(i)
       :: xid[i] = 0
       fi;
       prepared = prepared & ~BIT(i)             /* FinishPreparedTransaction(): after ProcArrayRemove() */
     } unless { boot != my_boot }
  :: else -> break
  od
}

/* Adds 1 to the version of the set of tracked tables. */
inline change_version() { d_step { is_current[0] = false; is_current[1] = false } }

/* track(): registers the table under the lock. */
inline track() {
  atomic { !counters_locked -> counters_locked = true };
  if
  :: tracked -> skip
  :: else ->
     d_step { tracked = true; serials++; serial = serials };
     if
     :: place = 0
     :: place = 1
     fi;
#ifndef NO_VERSION_BEFORE_XID
     change_version();
     since = next_xid
#else
     since = next_xid;
     change_version()
#endif
  fi;
  counters_locked = false
}

/* read_counts(), under the shared lock. A refresh uses the ended ones (Fingerprints::ended). */
inline read_counts() {
  atomic {
    !counters_locked;
    known = tracked;
    if
    :: known ->
       seen_serial = serial;
       seen_since = since;
#ifndef NO_ENDED_STORED
       seen_count = ended[place]
#else
       seen_count = begun[place]
#endif
    :: else
    fi
  }
}

/* reason_of_transactions() */
inline check_prepared() {
  some_prepared = (prepared != 0)
}

/* The snapshot contains the visible changes. xmin is the oldest running transaction. */
inline take_snapshot() {
  d_step {
    snapshot = visible;
    xmin = next_xid;
    if
    :: xid[0] != 0 && xid[0] < xmin -> xmin = xid[0]
    :: else
    fi;
    if
    :: xid[1] != 0 && xid[1] < xmin -> xmin = xid[1]
    :: else
    fi
  }
}

/* refresh_view() after a look has not found the view fresh, or a manual refresh. */
proctype refresh() {
  byte my_boot, left = REFRESHES;
  bool known, some_prepared;
  byte seen_serial, seen_since, seen_count, snapshot, xmin, own_view;
  do
  :: left > 0 ->
     atomic { left--; my_boot = boot };
     {
       atomic { !view_locked -> view_locked = true };          /* lock_view() */
#ifdef NO_COUNTS_BEFORE_SNAPSHOT
       take_snapshot();
#endif
       /* observe(): the counts first, the prepared transactions after them. */
#ifdef NO_PREPARED_AFTER_COUNTS
       check_prepared();
#endif
       if                      /* REFRESH */
       :: !tracked -> track()
       :: else
       fi;
       read_counts();
#ifndef NO_PREPARED_AFTER_COUNTS
#ifndef NO_PREPARED_CHECK
       check_prepared();
#endif
#endif
#ifndef NO_COUNTS_BEFORE_SNAPSHOT
       take_snapshot();        /* refresh_locked() */
#endif
       d_step {
       /* remember_fresh(): is_all_counted() and whole_fingerprint() with the own change. */
       known = known && !some_prepared;
#ifndef NO_SINCE
       known = known && xmin >= seen_since;
#endif
       own_view = view_begun + 1;
       view_begun++            /* PRE_COMMIT counts the view, because the refresh holds a lock on it */
       };
       d_step {                /* the commit: rows and fingerprint together */
         content = snapshot;
         stored = known;
         stored_boot = (known -> boot : 0);
         stored_serial = (known -> seen_serial : 0);
         stored_count = (known -> seen_count : 0);
         stored_view = (known -> own_view : 0);
         view_locked = false;
         snapshot = 0; xmin = 0; own_view = 0;
                seen_serial = 0; seen_since = 0; seen_count = 0; known = false; some_prepared = false }
     } unless { boot != my_boot }
  :: else -> break
  od
}

/* A refresh with an older snapshot: core's REFRESH, or ours, at repeatable read. It stores nothing. */
proctype refresh_from_older_snapshot() {
  byte my_boot, snapshot;
end:
  atomic { troubles > 0 -> troubles--; my_boot = boot; snapshot = visible };
  {
    atomic { !view_locked -> view_locked = true };
#ifndef NO_VIEW_COUNT
    view_begun++;              /* PRE_COMMIT */
#endif
    content = snapshot;
    view_locked = false
  } unless { boot != my_boot }
}

/* freshness_of(): only looks, and takes no lock. */
proctype look() {
  byte my_boot, must_have;
  bool known, some_prepared;
  byte was_boot, was_serial, was_count, was_view;
  byte now_serial, now_count;
end:
  do
  :: d_step {                  /* find_memory() */
       stored ->
       my_boot = boot;
       was_boot = stored_boot;
       was_serial = stored_serial;
       was_count = stored_count;
       was_view = stored_view
     };
     {
       atomic {                /* count_changes(): the begun ones */
         !counters_locked;
         known = tracked;
         now_serial = serial;
         now_count = begun[place];
         must_have = visible
       };
       check_prepared();
       atomic {                /* whole_fingerprint() reads the count of the view, and compares */
         if
         :: known && !some_prepared && was_count == now_count && was_view == view_begun && SAME_START && SAME_PLACE ->
            assert((must_have & ~content) == 0)
         :: else
         fi
       }
     } unless { boot != my_boot };
     d_step { known = false; some_prepared = false; was_boot = 0; was_serial = 0; was_count = 0; was_view = 0;
              now_serial = 0; now_count = 0; must_have = 0; my_boot = 0 }
  od
}

/* The place of the table is given to another one: track() for other tables, after an hour. */
proctype evict() {
end:
  atomic { troubles > 0 && tracked && !counters_locked -> troubles--; tracked = false;
           is_current[0] = false; is_current[1] = false }
}

/* The whole server crashes, by kill -9 of any process. Shared memory is new. */
proctype crash() {
end:
  d_step {
    troubles > 0 -> troubles--;
    boot++;
    visible = committed;
    prepared = prepared & ~committed;
    if
    :: prepared & BIT(0) -> skip
    :: else -> xid[0] = 0
    fi;
    if
    :: prepared & BIT(1) -> skip
    :: else -> xid[1] = 0
    fi;
    counters_locked = false; is_current[0] = false; is_current[1] = false; serials = 0; tracked = false; place = 0; serial = 0;
    since = 0; begun[0] = 0; begun[1] = 0; ended[0] = 0; ended[1] = 0;
    view_begun = 0; view_locked = false
  }
}

init {
  atomic {
    run writer(0);
#if WRITERS > 1
    run writer(1);
#endif
    run refresh(); run refresh_from_older_snapshot(); run look();
    run evict(); run crash()
  }
}
