// Derives, from a view's definition, the rules for an incremental refresh. For each table that the
// definition reads, a rule states which columns of a changed row identify the output rows that the
// change can affect.
//
// Principle: if a combination of joined rows appears or disappears, then at least one of its rows
// was changed. If the table of that row has rank 0, the row alone determines some output columns of
// the combination (`keys`). If the rank is higher, the row's join columns determine the matching
// rows of another table with a lower rank. These rows are looked up in the table. If they were
// changed as well, they were captured themselves. By induction, the rules find every output row
// that may have changed. They may find more rows than that.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// The maximum number of key columns, and of join columns, of a rule.
inline constexpr int kMaxKeyColumns = 8;

/// Output column `column` equals `expression` over a row of the table, whose columns are Vars with
/// number 1.
struct KeyColumn {
  int column;
  Node* expression;
};

struct JoinColumn {
  AttrNumber own;
  AttrNumber theirs;
};

/// A row can enter or leave the view without being changed, when its `column` meets `expression`.
/// The expression consists of now() and constants.
struct KeyComparison {
  AttrNumber column;
  Node* expression;
};

/// One table in FROM.
struct KeySource {
  RangeTblEntry* entry;
  Node* permission;  // its RTEPermissionInfo, from PostgreSQL 16 on
  int rank;
  List* keys;          // of KeyColumn*; only for rank 0
  int via;             // for a higher rank: index of the source that it joins
  List* joins;         // of JoinColumn*, to the source `via`
  List* comparisons;   // of KeyComparison*
  Bitmapset* columns;  // columns of the table that the rule needs
};

/// The columns of a table that are captured from its changed rows.
struct KeyTable {
  Oid oid;
  Bitmapset* columns;
};

struct Derivation {
  const char* reason;  // why the view cannot be kept by keys, or null; if set, the rest is void
  KeySource* sources;
  int source_count;
  KeyTable* tables;
  int table_count;
  bool has_comparisons;
};

/// Derives the rules of `view`. A definition beyond the limits of
/// engine/definition/definition_size.hpp is refused. Locks the relations that it reads in
/// AccessShareLock. REQUIRES: inside pg::call(); `definition` as it is stored. The result is in the
/// current memory context and shares nodes with `definition`.
Derivation derive_keys(Query* definition, Oid view);

}  // namespace metrics_refresh::engine
