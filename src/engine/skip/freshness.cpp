// Compares fingerprints to find out if a view is fresh.
//
// For each table there are two counts (shmem/change_counters.hpp): transactions that have begun to
// commit a change, and those whose commit has ended. A refresh reads the counts before its snapshot
// and stores the fingerprint with the ended ones, because only their changes are surely in the
// snapshot. A later look uses the begun ones. Example with one table:
//   refresh:  begun 8, ended 7  -> stores 7; one commit is under way
//   look:     begun 8           -> 8 is not 7: the view is not fresh, although it may be
// The error is always on the safe side. The fingerprint also covers the structure: the definition,
// functions, types, settings, and the storage of each table. The storage changes with TRUNCATE or a
// rewrite.
#include "engine/skip/freshness.hpp"

// XXH_INLINE_ALL compiles the hash function into this file, as in engine/diff/row_hasher.cpp.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/definition/functions.hpp"
#include "engine/definition/stable_functions.hpp"
#include "engine/skip/countable.hpp"
#include "extension/own_schema.hpp"
#include "pg/compat.hpp"
#include "pg/identity.hpp"
#include "pg/transaction.hpp"
#include "pg/write_locks.hpp"
#include "shmem/change_counters.hpp"
#include "store/view_states.hpp"

namespace metrics_refresh::engine {
namespace {

using shmem::ChangeCount;

void put(StringInfo bytes, const void* data, std::size_t size) {
  appendBinaryStringInfo(bytes, static_cast<const char*>(data), static_cast<int>(size));
}

Fingerprint hash(StringInfo bytes) {
  const XXH128_hash_t value = XXH3_128bits(bytes->data, static_cast<std::size_t>(bytes->len));
  return {value.high64, value.low64};
}

// Returns 0 if the relation does not exist.
pg::StorageNumber storage_of(Oid relation) {
  const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(tuple)) return 0;
  const pg::StorageNumber storage = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relfilenode;
  ReleaseSysCache(tuple);
  return storage;
}

// An Observation without strings, because it is filled inside pg::call().
struct PlainObservation {
  const char* reason;
  const char* uncaptured_reason;
  Fingerprints rows;
  Fingerprint uncaptured;
  FullTransactionId last_uncaptured;
  Fingerprint structure;
  FullTransactionId since;
  bool is_own_change;
  const char* read_by_functions;
};

void put_tables(StringInfo bytes, const Dependence& dependence) {
  put(bytes, dependence.shape->data, static_cast<std::size_t>(dependence.shape->len));
  for (int i = 0; i < dependence.table_count; ++i) {
    const pg::StorageNumber storage = storage_of(dependence.tables[i]);
    put(bytes, &dependence.tables[i], sizeof(Oid));
    put(bytes, &storage, sizeof storage);
  }
}

void put_definition(StringInfo bytes, const Dependence& dependence) {
  ListCell* cell;
  foreach (cell, dependence.functions) append_function(bytes, lfirst_oid(cell));
  // These are the current values. For a session with other values the fingerprint differs, and the
  // view is not fresh.
  appendStringInfoString(bytes, settings_of_stable_functions());
  appendStringInfoString(bytes, dependence.text);
  appendStringInfoString(bytes, dependence.versions);
}

Fingerprint with_counts(StringInfo bytes, const ChangeCount* counts, int number,
                        std::uint64_t ChangeCount::*count) {
  // The counts are removed again, so that the caller can append others to the same beginning.
  const int length = bytes->len;
  for (int i = 0; i < number; ++i) {
    put(bytes, &counts[i].serial, sizeof(std::uint64_t));
    put(bytes, &(counts[i].*count), sizeof(std::uint64_t));
  }
  const Fingerprint result = hash(bytes);
  bytes->len = length;
  return result;
}

PlainObservation observe_tables(const Dependence& dependence, Oid role, bool only_looks) {
  PlainObservation seen = {};
  seen.reason = dependence.reason;
  seen.read_by_functions = dependence.read_by_functions;
  seen.uncaptured_reason = dependence.uncounted_reason;
  if (seen.uncaptured_reason != nullptr) return seen;
  const int number = dependence.table_count;
  auto* const counts =
      static_cast<ChangeCount*>(palloc0(sizeof(ChangeCount) * static_cast<Size>(number + 1)));
  // If the definition was not analyzed, its tables are not known.
  seen.uncaptured_reason =
      dependence.tables == nullptr
          ? dependence.reason
          : reason_not_counted(
                shmem::count_changes(dependence.tables, number, role, only_looks, counts), role);
  if (seen.uncaptured_reason != nullptr) {
    if (seen.reason == nullptr) seen.reason = seen.uncaptured_reason;
    return seen;
  }
  // The latest of the times counts, because all tables must be counted completely.
  for (int i = 0; i < number; ++i) {
    if (FullTransactionIdPrecedes(seen.since, counts[i].since)) seen.since = counts[i].since;
    if (FullTransactionIdPrecedes(seen.last_uncaptured, counts[i].last_uncaptured))
      seen.last_uncaptured = counts[i].last_uncaptured;
    seen.is_own_change = seen.is_own_change || pg::has_write_lock(dependence.tables[i]);
  }
  StringInfoData bytes;
  initStringInfo(&bytes);
  put_tables(&bytes, dependence);
  const int length = bytes.len;
  put_definition(&bytes, dependence);
  seen.structure = hash(&bytes);
  // The counters begin anew with each start of the server. The epoch keeps equal counts of
  // different starts apart.
  put(&bytes, shmem::change_epoch(), 2 * sizeof(std::uint64_t));
  seen.rows = {with_counts(&bytes, counts, number, &ChangeCount::begun),
               with_counts(&bytes, counts, number, &ChangeCount::ended)};
  bytes.len = length;
  put(&bytes, shmem::change_epoch(), 2 * sizeof(std::uint64_t));
  seen.uncaptured = with_counts(&bytes, counts, number, &ChangeCount::uncaptured);
  return seen;
}

// The structure may change between the observation and the snapshot, and change back later. An
// example is a partition that is attached for a moment. The locks of the refresh keep the structure
// as the snapshot saw it, so it is compared once more.
Fingerprint structure_now(Oid view) {
  const Dependence dependence = dependence_of(view);
  StringInfoData bytes;
  initStringInfo(&bytes);
  put_tables(&bytes, dependence);
  put_definition(&bytes, dependence);
  return hash(&bytes);
}

// The reason why the counts are not enough. This is checked after the counts were read. A
// transaction that was prepared earlier counts as ended. It is listed among the prepared ones until
// its changes are visible to all.
std::string reason_of_transactions() {
  if (pg::call([] { return IsolationUsesXactSnapshot() && FirstSnapshotSet; }))
    return "the transaction's snapshot was taken before";
  if (max_prepared_xacts == 0) return "";
  // The query below would take the transaction's snapshot too early.
  if (IsolationUsesXactSnapshot()) return "there may be prepared transactions";
  bool prepared = false;
  extension::read_as_extension(
      [&prepared](pg::Spi& spi) { prepared = store::has_prepared_transactions(spi); });
  return prepared ? "there are prepared transactions" : "";
}

// Adds the state of the view itself. Other sessions can change its rows too, for example by core's
// REFRESH with an old snapshot. While a refresh holds the view exclusively, every other change that
// has begun has also ended. So the begun ones are enough. `plus_own` adds the change of this
// transaction, which is not counted before its commit.
std::string whole_fingerprint(const View& view, Fingerprint of_tables, bool plus_own,
                              bool only_looks) {
  const Oid oid = view.oid;
  const Oid role = view.owner;
  struct Own {
    ChangeCount count;
    pg::StorageNumber storage;
    bool known;
  };
  const Own own = pg::call([oid, role, plus_own, only_looks] {
    Own found = {};
    found.known =
        shmem::count_changes(&oid, 1, role, only_looks, &found.count) == shmem::Counting::kCounted;
    if (plus_own && pg::has_write_lock(oid)) ++found.count.begun;
    found.storage = storage_of(oid);
    return found;
  });
  if (!own.known) return "";
  const std::uint64_t parts[] = {of_tables.high, of_tables.low, own.count.serial, own.count.begun,
                                 own.storage};
  const XXH128_hash_t value = XXH3_128bits(parts, sizeof parts);
  return to_text({value.high64, value.low64});
}

// The full transaction id of an xid in a current snapshot. The xid is less than 2^32 transactions
// old.
FullTransactionId full_transaction_id(TransactionId xid) {
  const std::uint64_t next = U64FromFullTransactionId(ReadNextFullTransactionId());
  return FullTransactionIdFromU64(next - static_cast<TransactionId>(next - xid));
}

}  // namespace

Observation observe(const View& view, bool only_looks) {
  const Oid role = view.owner;
  const Dependence dependence = countable_dependence(view, only_looks);
  const PlainObservation tables = [&] {
    pg::ActAs owner(view.owner);
    return pg::call(
        [&dependence, role, only_looks] { return observe_tables(dependence, role, only_looks); });
  }();
  // The order matters: the prepared transactions are read after the counts.
  Observation seen = {};
  seen.reason = reason_of_transactions();
  if (tables.reason != nullptr) seen.reason = tables.reason;
  if (tables.uncaptured_reason != nullptr) seen.uncaptured_reason = tables.uncaptured_reason;
  seen.rows = tables.rows;
  seen.uncaptured = tables.uncaptured;
  seen.last_uncaptured = tables.last_uncaptured;
  seen.structure = tables.structure;
  seen.since = tables.since;
  seen.is_own_change = tables.is_own_change;
  seen.read_by_functions = tables.read_by_functions;
  return seen;
}

// Transactions before `since` may not be counted. If the snapshot sees all of them as ended, none
// can commit later without being counted.
bool is_all_counted(const Observation& seen, TransactionId snapshot_xmin) {
  return !FullTransactionIdPrecedes(
      pg::call([snapshot_xmin] { return full_transaction_id(snapshot_xmin); }), seen.since);
}

bool is_all_captured(const Observation& seen, TransactionId snapshot_xmin) {
  return seen.uncaptured_reason.empty() && is_all_counted(seen, snapshot_xmin) &&
         FullTransactionIdPrecedes(seen.last_uncaptured, pg::call([snapshot_xmin] {
                                     return full_transaction_id(snapshot_xmin);
                                   }));
}

std::string to_text(Fingerprint fingerprint) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx",
                static_cast<unsigned long long>(fingerprint.high),
                static_cast<unsigned long long>(fingerprint.low));
  return text;
}

std::string fingerprint_of_rows(const View& view) {
  return whole_fingerprint(view, {}, true, false);
}

void remember_fresh(const View& view, const Observation& seen, TransactionId snapshot_xmin) {
  // The stored fingerprint may be newer than this snapshot, so it is kept. If this refresh has
  // changed the view, the count of the view shows that.
  if (IsolationUsesXactSnapshot() && !seen.reason.empty()) return;
  pg::call([] { CommandCounterIncrement(); });  // the view may have other storage by now
  bool is_known = seen.reason.empty() && is_all_counted(seen, snapshot_xmin);
  if (is_known) {
    const Oid oid = view.oid;
    pg::ActAs owner(view.owner);
    // Asked again under the locks of the refresh; see structure_now().
    const Fingerprint now = pg::call([oid] { return structure_now(oid); });
    is_known = now.high == seen.structure.high && now.low == seen.structure.low;
  }
  const Oid refreshed = view.oid;
  // The view was really refreshed, so the count until the next audit begins anew.
  pg::call([refreshed] { shmem::forget_skips(refreshed); });
  const std::string fingerprint =
      is_known ? whole_fingerprint(view, seen.rows.ended, true, false) : "";
  extension::as_extension([&](pg::Spi& spi) {
    store::set_fingerprint(spi, view.oid, fingerprint);
    store::name_alarm(spi, {view.schema, view.name}, view.oid);
  });
}

bool was_fresh(const View& view, const Observation& seen) {
  if (!seen.reason.empty() || seen.is_own_change) return false;
  store::ViewMemory memory;
  extension::read_as_extension([&](pg::Spi& spi) { memory = store::find_memory(spi, view.oid); });
  return memory.fingerprint && memory.alarm.empty() &&
         *memory.fingerprint == whole_fingerprint(view, seen.rows.begun, false, true);
}

Freshness freshness_of(const View& view, bool only_looks) {
  store::ViewMemory memory;
  Observation seen;
  std::string current;
  // pg::in_discarded_subtransaction() releases all locks. A refresh locks the view first and its
  // tables later. Locks on the tables that are held before could lead to a deadlock.
  pg::in_discarded_subtransaction([&] {
    extension::as_extension([&](pg::Spi& spi) { memory = store::find_memory(spi, view.oid); });
    seen = observe(view, only_looks);
    current = whole_fingerprint(view, seen.rows.begun, false, only_looks);
  });
  if (!memory.alarm.empty()) return {false, "not skipped any more: " + memory.alarm};
  if (!seen.reason.empty()) return {false, seen.reason};
  const std::string reads =
      seen.read_by_functions.empty() ? "" : "; its functions read " + seen.read_by_functions;
  if (seen.is_own_change) return {false, "this transaction has changed its tables" + reads};
  if (!memory.fingerprint)
    return {false, "it is not known whether its tables have changed" + reads};
  if (*memory.fingerprint != current) return {false, "its tables have changed" + reads};
  return {true, "no table that it reads has changed since its last refresh" + reads};
}

}  // namespace metrics_refresh::engine
