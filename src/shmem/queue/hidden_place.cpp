#include "shmem/queue/hidden_place.hpp"

#include <utility>

#include "shmem/queue/place.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

// Generations begin with 1, so that a place with this one is never current.
constexpr std::uint64_t kNoGeneration = 0;

Oid made_here = InvalidOid;  // the schema for which the place is hidden
SubTransactionId hidden_in = InvalidSubTransactionId;
std::uint64_t hidden_generation = 0;  // of `here`

}  // namespace

bool is_made_here(Oid schema) {
  HeapTuple const row = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
  if (!HeapTupleIsValid(row)) return false;
  const TransactionId maker = HeapTupleHeaderGetXmin(row->t_data);
  ReleaseSysCache(row);
  return TransactionIdIsCurrentTransactionId(maker);
}

void hide_place(Oid schema) noexcept {
  if (!OidIsValid(std::exchange(made_here, schema))) {
    hidden_in = GetCurrentSubTransactionId();
    hidden_generation = std::exchange(here_generation, kNoGeneration);
  }
}

bool hides_place_for(Oid schema) noexcept { return OidIsValid(made_here) && made_here == schema; }

bool hides_place() noexcept { return OidIsValid(made_here); }

void renew_hidden_place() noexcept {
  if (!hides_place()) return;
  const Oid schema = made_here;
  show_place();
  renew(schema);
}

void show_place() noexcept {
  if (!hides_place()) return;
  here_generation = hidden_generation;
  made_here = InvalidOid;
}

void follow_subtransaction(SubXactEvent event, SubTransactionId sub,
                           SubTransactionId parent) noexcept {
  if (!hides_place() || hidden_in < sub) return;
  if (event == SUBXACT_EVENT_ABORT_SUB) show_place();
  if (event == SUBXACT_EVENT_COMMIT_SUB) hidden_in = parent;
}

}  // namespace metrics_refresh::shmem::queue
