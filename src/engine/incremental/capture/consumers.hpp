// Materialized views that are kept by keys of another one. That cannot have triggers; so whoever
// writes its rows writes their keys, and where core's REFRESH does, all of it counts as changed.
// The table incremental_parent says which delta tables are to be written.
//
// REQUIRES of all: inside a frame that a server error may leave.
#pragma once

#include "engine/incremental/capture/key_writer.hpp"

namespace metrics_refresh::engine {

/// The delta tables that rows of one view go to. REQUIRES: value-initialized before open(); the
/// view is locked against those who set a view up (engine/incremental/setup/setup.hpp).
class Consumers {
 public:
  void open(Relation view);
  bool any() const { return writers_ != NIL; }
  void put(TupleTableSlot* row);
  void put_whole();
  void close();

 private:
  List* writers_;  // of KeyWriter*
};

/// Core's REFRESH has written the view. Does nothing where the database lacks the extension.
void note_core_refresh(Oid view);

/// What incremental_parent said of a delta table under the active snapshot: its row's identity
/// where it stands for this view and these columns, or 0.
TransactionId parent_row(const char* delta, Oid view, List* columns);

}  // namespace metrics_refresh::engine
