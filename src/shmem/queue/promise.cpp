#include "shmem/queue/promise.hpp"

#include <utility>

#include "shmem/queue/place.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

// Generations begin with 1, so that a place with this one is never current.
constexpr std::uint64_t kHidden = 0;

Oid promised = InvalidOid;  // the schema
SubTransactionId made_in = InvalidSubTransactionId;
std::uint64_t hidden_generation = 0;  // of `here`

}  // namespace

bool is_made_here(Oid schema) {
  HeapTuple const row = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
  if (!HeapTupleIsValid(row)) return false;
  const TransactionId maker = HeapTupleHeaderGetXmin(row->t_data);
  ReleaseSysCache(row);
  return TransactionIdIsCurrentTransactionId(maker);
}

void promise_place(Oid schema) noexcept {
  if (!OidIsValid(std::exchange(promised, schema))) {
    made_in = GetCurrentSubTransactionId();
    hidden_generation = std::exchange(here_generation, kHidden);
  }
}

bool is_promised(Oid schema) noexcept { return OidIsValid(promised) && promised == schema; }

bool has_promise() noexcept { return OidIsValid(promised); }

void keep_promise() noexcept {
  if (!has_promise()) return;
  const Oid schema = promised;
  withdraw_promise();
  renew(schema);
}

void withdraw_promise() noexcept {
  if (!has_promise()) return;
  here_generation = hidden_generation;
  promised = InvalidOid;
}

void follow_subtransaction(SubXactEvent event, SubTransactionId sub,
                           SubTransactionId parent) noexcept {
  if (!has_promise() || made_in < sub) return;
  if (event == SUBXACT_EVENT_ABORT_SUB) withdraw_promise();
  if (event == SUBXACT_EVENT_COMMIT_SUB) made_in = parent;
}

}  // namespace metrics_refresh::shmem::queue
