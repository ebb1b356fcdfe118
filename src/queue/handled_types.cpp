#include "queue/handled_types.hpp"

#include "extension/own_schema.hpp"
#include "pg/transaction.hpp"
#include "shmem/shmem.hpp"

namespace metrics_refresh::queue {

using store::queue::JobMode;

// The version is read before the snapshot is taken. So a change that comes in between is read now,
// or leads to another read.
HandledType* HandledTypes::find(store::queue::TypeId id) {
  const std::uint64_t version = shmem::changes_of_types();
  if (version != version_) {
    types_.clear();
    last_ = nullptr;
    version_ = version;
  }
  if (last_ != nullptr && last_->row.id == id) return last_;
  auto found = types_.find(id);
  if (found == types_.end()) {
    std::optional<store::queue::JobType> row;
    pg::in_transaction([&row, id] {
      extension::as_extension(
          [&row, id](pg::Spi& spi) { row = store::queue::find_job_type(spi, id); });
    });
    if (!row || row->owner_oid != GetSessionUserId() || row->mode == JobMode::kExternal)
      return nullptr;
    found = types_.emplace(id, std::make_unique<HandledType>(std::move(*row))).first;
  }
  return last_ = found->second.get();
}

}  // namespace metrics_refresh::queue
