// create_batch() and close_batch().
#include "api/queue/batches.hpp"

#include "api/arguments.hpp"
#include "api/queue/known_type.hpp"
#include "api/queue/payload.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/role.hpp"
#include "shmem/queue/work.hpp"
#include "store/queue/batch_use.hpp"
#include "store/queue/batches.hpp"
#include "store/queue/find.hpp"
#include "store/queue/news.hpp"
#include "store/queue/numbers.hpp"
#include "store/queue/steady_look.hpp"

namespace metrics_refresh::api {
namespace {

[[noreturn]] void refuse_missing_batch(std::int64_t id) {
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "batch " + std::to_string(id) + " does not exist",
                     "It may have ended. metrics_refresh.create_batch() makes a batch.");
}

// A handler may add jobs to the batch of its own job, which has not ended yet.
bool is_of_running_job(pg::Spi& spi, std::int64_t id) {
  const store::queue::JobNumber running = shmem::queue::running_job();
  if (running == 0) return false;
  bool found = false;
  store::queue::look_steadily([&](Snapshot snapshot) {
    const auto job = store::queue::find_job(spi, running, snapshot, false);
    found = job.where != store::queue::Where::kNowhere && job.job.batch == id;
  });
  return found;
}

bool may_use(Oid enqueued_by, Oid caller, bool is_super_admin) {
  return is_super_admin || (OidIsValid(enqueued_by) && pg::has_rights_of(caller, enqueued_by));
}

Datum create_batch(FunctionCallInfo call) {
  pg::call([] { PreventCommandIfReadOnly("create_batch()"); });
  shmem::queue::require_queue();
  const Arguments arguments(call);
  if (arguments.is_null(0)) Arguments::refuse_null("callback_type");
  const Datum name = arguments.datum(0);
  const KnownType& type = type_to_add_to(pg::call([name] { return DatumGetTextPP(name); }));
  check_share_of_queue(type, 1);  // of the callback
  if (arguments.is_null(1)) Arguments::refuse_null("callback_payload");
  store::queue::Batch batch;
  batch.payload = checked_payload(arguments.datum(1), "callback_payload");
  batch.id = store::queue::new_numbers(1).first;
  batch.created_at = GetCurrentTimestamp();
  batch.type = type.id;
  batch.enqueued_by = GetUserId();
  batch.is_open = Arguments::required(arguments.get_bool(2), "open");
  store::queue::insert_batch(batch);
  store::queue::note_added(batch.id, batch.id);
  shmem::queue::Counts counts;
  counts.batches = 1;
  store::queue::note_counts(batch.type, counts);
  store::queue::note_batches();
  return Int64GetDatum(batch.id);
}

Datum close_batch(FunctionCallInfo call) {
  pg::call([] { PreventCommandIfReadOnly("close_batch()"); });
  shmem::queue::require_queue();
  const std::int64_t id = Arguments::required(Arguments(call).get_int64(0), "batch");
  const Oid caller = GetUserId();
  const bool is_super_admin = extension::is_super_admin();
  bool is_closed = false;
  extension::as_extension([&](pg::Spi& spi) {
    const auto batch = store::queue::read_batch(spi, id);
    if (!batch || !may_use(batch->enqueued_by, caller, is_super_admin)) refuse_missing_batch(id);
    is_closed = store::queue::close_batch(spi, id);
  });
  if (is_closed) store::queue::note_batches();
  return BoolGetDatum(is_closed);
}

}  // namespace

void use_batch(std::int64_t id) {
  const Oid caller = GetUserId();
  const bool is_super_admin = extension::is_super_admin();
  extension::as_extension([&](pg::Spi& spi) {
    if (is_of_running_job(spi, id)) return;
    // Rights come before the lock, so that a role without them does not wait for others.
    const auto known = store::queue::read_batch(spi, id);
    if (!known || !may_use(known->enqueued_by, caller, is_super_admin)) refuse_missing_batch(id);
    const auto batch = store::queue::share_batch(spi, id);
    if (!batch || !may_use(batch->enqueued_by, caller, is_super_admin)) refuse_missing_batch(id);
    if (batch->is_open || batch->is_own) return;
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "batch " + std::to_string(id) + " is closed",
                       "A batch takes jobs in the transaction that makes it. For later ones: "
                       "create_batch(..., open => true), and close_batch() in the end.");
  });
}

MR_SQL_FUNCTION(mr_create_batch, create_batch);
MR_SQL_FUNCTION(mr_close_batch, close_batch);

}  // namespace metrics_refresh::api
