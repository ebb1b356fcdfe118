#include "engine/skip/freshness.hpp"

// Compiled in, as for rows (engine/diff/row_hasher.cpp).
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

// 0: it is gone.
pg::StorageNumber storage_of(Oid relation) {
  const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(tuple)) return 0;
  const pg::StorageNumber storage = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relfilenode;
  ReleaseSysCache(tuple);
  return storage;
}

struct PlainObservation {
  const char* obstacle;
  const char* capture_obstacle;
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
  appendStringInfoString(bytes, settings_of_stable_functions());
  appendStringInfoString(bytes, dependence.text);
  appendStringInfoString(bytes, dependence.versions);
}

Fingerprint with_counts(StringInfo bytes, const ChangeCount* counts, int number,
                        std::uint64_t ChangeCount::*count) {
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
  seen.obstacle = dependence.obstacle;
  seen.read_by_functions = dependence.read_by_functions;
  seen.capture_obstacle = dependence.uncountable;
  if (seen.capture_obstacle != nullptr) return seen;
  const int number = dependence.table_count;
  auto* const counts =
      static_cast<ChangeCount*>(palloc0(sizeof(ChangeCount) * static_cast<Size>(number + 1)));
  // No table of one that was not looked into is known.
  seen.capture_obstacle =
      dependence.tables == nullptr
          ? dependence.obstacle
          : why_not_counted(
                shmem::count_changes(dependence.tables, number, role, only_looks, counts), role);
  if (seen.capture_obstacle != nullptr) {
    if (seen.obstacle == nullptr) seen.obstacle = seen.capture_obstacle;
    return seen;
  }
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
  put(&bytes, shmem::change_epoch(), 2 * sizeof(std::uint64_t));
  seen.rows = {with_counts(&bytes, counts, number, &ChangeCount::begun),
               with_counts(&bytes, counts, number, &ChangeCount::ended)};
  bytes.len = length;
  put(&bytes, shmem::change_epoch(), 2 * sizeof(std::uint64_t));
  seen.uncaptured = with_counts(&bytes, counts, number, &ChangeCount::uncaptured);
  return seen;
}

// What was different for a moment, between the observation and the snapshot, and then as before: a
// table that was attached, for one. The refresh's locks keep it as the snapshot saw it.
Fingerprint structure_now(Oid view) {
  const Dependence dependence = dependence_of(view);
  StringInfoData bytes;
  initStringInfo(&bytes);
  put_tables(&bytes, dependence);
  put_definition(&bytes, dependence);
  return hash(&bytes);
}

// Why the counts alone do not tell. Asked after they were read: a transaction that was prepared
// before counts as ended, and is among the prepared ones until all see what it did.
std::string obstacle_of_transactions() {
  if (pg::call([] { return IsolationUsesXactSnapshot() && FirstSnapshotSet; }))
    return "the transaction's snapshot was taken before";
  if (max_prepared_xacts == 0) return "";
  // To look would take the snapshot.
  if (IsolationUsesXactSnapshot()) return "there may be prepared transactions";
  bool prepared = false;
  extension::read_as_extension(
      [&prepared](pg::Spi& spi) { prepared = store::has_prepared_transactions(spi); });
  return prepared ? "there are prepared transactions" : "";
}

// The view's own rows may be changed by somebody else too, by core's REFRESH on an old snapshot for
// one. While we hold it exclusively nobody does, so all that began has ended, but for what we do.
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

// The full number of a transaction that a snapshot knows of.
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
  Observation seen = {};
  seen.obstacle = obstacle_of_transactions();
  if (tables.obstacle != nullptr) seen.obstacle = tables.obstacle;
  if (tables.capture_obstacle != nullptr) seen.capture_obstacle = tables.capture_obstacle;
  seen.rows = tables.rows;
  seen.uncaptured = tables.uncaptured;
  seen.last_uncaptured = tables.last_uncaptured;
  seen.structure = tables.structure;
  seen.since = tables.since;
  seen.is_own_change = tables.is_own_change;
  seen.read_by_functions = tables.read_by_functions;
  return seen;
}

bool is_all_counted(const Observation& seen, TransactionId snapshot_xmin) {
  return !FullTransactionIdPrecedes(
      pg::call([snapshot_xmin] { return full_transaction_id(snapshot_xmin); }), seen.since);
}

bool is_all_captured(const Observation& seen, TransactionId snapshot_xmin) {
  return seen.capture_obstacle.empty() && is_all_counted(seen, snapshot_xmin) &&
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
  // What is remembered may be newer than this snapshot. If this refresh has changed the view, its
  // own count tells.
  if (IsolationUsesXactSnapshot() && !seen.obstacle.empty()) return;
  pg::call([] { CommandCounterIncrement(); });  // the view may have other storage by now
  bool is_known = seen.obstacle.empty() && is_all_counted(seen, snapshot_xmin);
  if (is_known) {
    const Oid oid = view.oid;
    pg::ActAs owner(view.owner);
    const Fingerprint now = pg::call([oid] { return structure_now(oid); });
    is_known = now.high == seen.structure.high && now.low == seen.structure.low;
  }
  const Oid refreshed = view.oid;
  pg::call([refreshed] { shmem::forget_skips(refreshed); });
  const std::string fingerprint =
      is_known ? whole_fingerprint(view, seen.rows.ended, true, false) : "";
  extension::as_extension([&](pg::Spi& spi) {
    store::set_fingerprint(spi, view.oid, fingerprint);
    store::name_alarm(spi, {view.schema, view.name}, view.oid);
  });
}

bool was_fresh(const View& view, const Observation& seen) {
  if (!seen.obstacle.empty() || seen.is_own_change) return false;
  store::ViewMemory memory;
  extension::read_as_extension([&](pg::Spi& spi) { memory = store::find_memory(spi, view.oid); });
  return memory.fingerprint && memory.alarm.empty() &&
         *memory.fingerprint == whole_fingerprint(view, seen.rows.begun, false, true);
}

Freshness freshness_of(const View& view, bool only_looks) {
  store::ViewMemory memory;
  Observation seen;
  std::string current;
  // Who goes on to refresh the view locks it first, and its tables after it.
  pg::in_discarded_subtransaction([&] {
    extension::as_extension([&](pg::Spi& spi) { memory = store::find_memory(spi, view.oid); });
    seen = observe(view, only_looks);
    current = whole_fingerprint(view, seen.rows.begun, false, only_looks);
  });
  if (!memory.alarm.empty()) return {false, "not skipped any more: " + memory.alarm};
  if (!seen.obstacle.empty()) return {false, seen.obstacle};
  const std::string reads =
      seen.read_by_functions.empty() ? "" : "; its functions read " + seen.read_by_functions;
  if (seen.is_own_change) return {false, "this transaction has changed its tables" + reads};
  if (!memory.fingerprint)
    return {false, "it is not known whether its tables have changed" + reads};
  if (*memory.fingerprint != current) return {false, "its tables have changed" + reads};
  return {true, "no table that it reads has changed since its last refresh" + reads};
}

}  // namespace metrics_refresh::engine
