// Materialized views that read another materialized view. The latter cannot have triggers, so its
// refresh writes the keys of the rows that it changes. If core's REFRESH wrote the view, all of its
// rows count as changed. The table incremental_parent lists the delta tables.
//
// REQUIRES for all functions: inside a frame that a server error may leave by longjmp.
#pragma once

#include "engine/diff/view_writer.hpp"
#include "engine/incremental/capture/key_writer.hpp"

namespace metrics_refresh::engine {

/// The delta tables that receive the keys of one view. REQUIRES: the view is locked against the
/// setup of other views (engine/incremental/setup/setup.hpp).
class Consumers final : public WrittenRows {
 public:
  void open(Relation view) override;
  bool any() const override { return writers_ != NIL; }
  void put(TupleTableSlot* row) override;
  void put_whole();
  void close() override;

 private:
  List* writers_ = NIL;  // of KeyWriter*
};

/// Records that core's REFRESH has written the view. Does nothing if the database lacks the
/// extension.
void capture_core_refresh(Oid view);

/// Looks up a delta table in incremental_parent under the active snapshot. Returns the identity of
/// the row if it belongs to this view and these columns, otherwise 0.
TransactionId parent_row_version(const char* delta, Oid view, List* columns);

}  // namespace metrics_refresh::engine
