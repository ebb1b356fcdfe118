// From a view's definition to the rules that keep it by keys: for each table that it reads, which
// of its columns tell the output rows that a changed row of it can have to do with.
//
// The principle: a combination of rows that appears in, or vanishes from, what a definition joins
// has a member that changed. Where the table of that member has the rank 0, its row alone says the
// values of some output columns of the combination (`keys`). Where it has a higher one, its join
// columns say which rows of another table, of a lower rank, it is combined with, and these are
// looked up: had they changed as well, they would have been captured themselves. So, by induction,
// the rules name every output row that could have changed. They may name more.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// A rule has no more key columns, nor join columns, than this.
inline constexpr int kMaxKeyColumns = 8;

/// Output column `column` is `expression` over the row, whose columns are Vars of number 1.
struct KeyColumn {
  int column;
  Node* expression;
};

struct JoinColumn {
  AttrNumber own;
  AttrNumber theirs;
};

/// The row's part in the view changes without a change of it when this column passes `expression`,
/// which is of now() and constants.
struct KeyEdge {
  AttrNumber column;
  Node* expression;
};

/// One table in FROM.
struct KeySource {
  RangeTblEntry* entry;
  Node* permission;  // its RTEPermissionInfo, from PostgreSQL 16 on
  int rank;
  List* keys;          // of KeyColumn*; of rank 0
  int via;             // of a higher rank: the place of another one among the sources
  List* joins;         // of JoinColumn*, to that one
  List* edges;         // of KeyEdge*
  Bitmapset* columns;  // of the table, that the rule needs
};

/// What is captured of a table: these columns of its changed rows.
struct KeyTable {
  Oid oid;
  Bitmapset* columns;
};

struct Derivation {
  const char* refusal;  // why the definition cannot be kept by keys; nothing else counts then
  KeySource* sources;
  int source_count;
  KeyTable* tables;
  int table_count;
  bool has_edges;
};

/// Of the definition of `view`; one past the limits of engine/definition/definition_size.hpp is
/// refused. Locks what it looks into in AccessShareLock. REQUIRES: inside pg::call(); `definition`
/// as it is stored. The result is in the current memory context and shares nodes with `definition`.
Derivation derive_keys(Query* definition, Oid view);

}  // namespace metrics_refresh::engine
