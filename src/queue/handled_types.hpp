// The job types of this process, as they were read last, each with its handler. They are read again
// when one of them has changed.
#pragma once

#include <map>
#include <memory>

#include "queue/handler.hpp"
#include "store/queue/job_types.hpp"

namespace metrics_refresh::queue {

struct HandledType {
  explicit HandledType(store::queue::JobType row_)
      : row(std::move(row_)), handler(row.handler, row.owner_oid) {}

  store::queue::JobType row;
  Handler handler;
};

class HandledTypes {
 public:
  /// Returns null if there is no such type, if it belongs to another role than the session, or if
  /// its jobs are for workers outside the server. The pointer is valid until the next call.
  /// REQUIRES: outside any transaction.
  HandledType* find(store::queue::TypeId id);

 private:
  std::map<store::queue::TypeId, std::unique_ptr<HandledType>> types_;
  std::uint64_t version_ = 0;  // of all types, when the oldest of these was read
  HandledType* last_ = nullptr;
};

}  // namespace metrics_refresh::queue
