// Lists the tables that the present transaction writes, from the lock structures of this process.
// The server has no function for this, and a scan of the whole lock table would be too expensive at
// every commit.
#include "pg/write_locks.hpp"

namespace metrics_refresh::pg {
namespace {

using Visit = void (*)(void*, Oid);

// Locks that conflict with no other lock are kept in slots of the process itself. There are groups
// of sixteen slots, before PostgreSQL 18 only one group. A slot that is not in use keeps the oid of
// its last relation.
void visit_fast_path(Visit visit, void* context) {
#if PG_VERSION_NUM >= 180000
  const int groups = FastPathLockGroupsPerBackend;
  const uint64* const held = MyProc->fpLockBits;
  constexpr int kPlaces = FP_LOCK_SLOTS_PER_GROUP;
#else
  constexpr int groups = 1;
  const uint64* const held = &MyProc->fpLockBits;
  constexpr int kPlaces = FP_LOCK_SLOTS_PER_BACKEND;
#endif
  for (int group = 0; group < groups; ++group) {
    // Whether a slot holds RowExclusiveLock is not checked: the caller accepts additional tables.
    if (held[group] == 0) continue;
    for (int place = 0; place < kPlaces; ++place)
      if (const Oid relation = MyProc->fpRelId[group * kPlaces + place]; OidIsValid(relation))
        visit(context, relation);
  }
}

// PostgreSQL 16 replaced SHM_QUEUE by dlist.
#if PG_VERSION_NUM >= 160000
using Link = dlist_node;
const Link* head_of(const dlist_head& list) { return &list.head; }
#else
using Link = SHM_QUEUE;
const Link* head_of(const SHM_QUEUE& list) { return &list; }
#endif

void visit_shared(const PROCLOCK* lock, Visit visit, void* context) {
  const LOCKTAG& tag = lock->tag.myLock->tag;
  if (tag.locktag_type == LOCKTAG_RELATION && tag.locktag_field1 == MyDatabaseId &&
      (lock->holdMask & LOCKBIT_ON(RowExclusiveLock)) != 0)
    visit(context, tag.locktag_field2);
}

}  // namespace

bool has_write_lock(Oid relation) {
  LOCKTAG tag;
  SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
#if PG_VERSION_NUM >= 170000
  return LockHeldByMe(&tag, RowExclusiveLock, false);
#else
  return LockHeldByMe(&tag, RowExclusiveLock);
#endif
}

void for_each_write_lock(Visit visit, void* context) {
  // Another process may move a lock of this process from its slot to the shared lock table, while
  // it holds this LWLock. Nothing else adds to the lists of this process, and locks that it holds
  // do not disappear. Therefore the locks of the partitions are not needed. The server relies on
  // the same when it looks for empty lists.
  LWLockAcquire(&MyProc->fpInfoLock, LW_SHARED);
  visit_fast_path(visit, context);
  for (const auto& list : MyProc->myProcLocks) {
    const Link* const head = head_of(list);
    for (const Link* at = head->next; at != head; at = at->next)
      visit_shared(reinterpret_cast<const PROCLOCK*>(reinterpret_cast<const char*>(at) -
                                                     offsetof(PROCLOCK, procLink)),
                   visit, context);
  }
  LWLockRelease(&MyProc->fpInfoLock);
}

}  // namespace metrics_refresh::pg
