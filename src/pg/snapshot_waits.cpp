// Finds out whether a process waits for this transaction. The walk starts at the process and
// follows blockers until it reaches this one. Example: the run waits for a lock of session A, and A
// runs CREATE INDEX CONCURRENTLY, which waits for this transaction.
#include "pg/snapshot_waits.hpp"

namespace metrics_refresh::pg {
namespace {

// Bounds the length of the walk.
constexpr int kMostLookedAt = 100;

bool waits_for_a_transaction(pid_t process) {
  const PGPROC* const entry = BackendPidGetProc(process);
  return entry != nullptr && entry->wait_event_info == (PG_WAIT_LOCK | LOCKTAG_VIRTUALTRANSACTION);
}

bool waits_for_a_lock(pid_t process) {
  const PGPROC* const entry = BackendPidGetProc(process);
  return entry != nullptr && (entry->wait_event_info & 0xFF000000U) == PG_WAIT_LOCK;
}

List* blockers_of(pid_t process) {
  Datum* numbers;
  int count;
  deconstruct_array(
      DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(process))), INT4OID,
      sizeof(int32), true, TYPALIGN_INT, &numbers, nullptr, &count);
  List* found = NIL;
  for (int i = 0; i < count; ++i) found = list_append_unique_int(found, DatumGetInt32(numbers[i]));
  return found;
}

// True if the process waits for this transaction, directly or through others.
bool is_reached(pid_t process) {
  List* chain = list_make1_int(process);
  for (int i = 0; i < list_length(chain) && i < kMostLookedAt; ++i) {
    const pid_t waiting = list_nth_int(chain, i);
    if (!waits_for_a_lock(waiting)) continue;
    List* const blockers = blockers_of(waiting);
    if (list_member_int(blockers, MyProcPid) && waits_for_a_transaction(waiting)) return true;
    chain = list_concat_unique_int(chain, blockers);
  }
  return false;
}

}  // namespace

// pg_blocking_pids() locks the whole lock table for a moment. It is called only if the wait event
// of the process, which is cheap to read, shows a wait for a lock.
bool waits_for_this_transaction(pid_t process) {
  // A caller may ask many times within one statement, so the memory is reset each time.
  static MemoryContext scratch = nullptr;
  return call([process] {
    if (scratch == nullptr)
      scratch =
          AllocSetContextCreate(TopMemoryContext, "metrics_refresh waits", ALLOCSET_SMALL_SIZES);
    MemoryContextReset(scratch);
    MemoryContext const before = MemoryContextSwitchTo(scratch);
    const bool is_waiting = is_reached(process);
    MemoryContextSwitchTo(before);
    return is_waiting;
  });
}

}  // namespace metrics_refresh::pg
