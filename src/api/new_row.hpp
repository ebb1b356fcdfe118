// A row before it is written, for row triggers of tables and views of the extension. Names in the
// row are resolved to oids here. Rows also come from pg_restore, from logical replication, and from
// a superuser's own statements, so the checks are in triggers and not in the SQL functions.
#pragma once

#include <optional>
#include <string>

#include "pg/spi.hpp"

namespace metrics_refresh::api {

/// Throws SqlError 39P01: the function was not called as its trigger.
[[noreturn]] void refuse_trigger_call(const char* message);

/// The data of a trigger on a table of the extension. Throws SqlError 39P01 if the function was
/// called in another way, or for a statement other than TRUNCATE.
TriggerData* trigger_data(FunctionCallInfo call);

/// The value of a column, or nothing if it is NULL.
std::optional<std::string> text_column(HeapTuple tuple, TupleDesc description, const char* name);
std::optional<Datum> column_value(HeapTuple tuple, TupleDesc description, const char* name);

struct NewRow {
  bool update;
  HeapTuple old;  // of an update
  HeapTuple row;
  TupleDesc description;

  std::optional<std::string> text(const char* column) const {
    return text_column(row, description, column);
  }
  std::optional<Datum> value(const char* column) const {
    return column_value(row, description, column);
  }
  /// True for an insert, and for an update that changes the column.
  bool is_new(const char* column) const {
    return !update || text_column(old, description, column) != text(column);
  }
  void set(const char* column, Datum value);
  /// The tables have different columns, but share this code.
  bool has(const char* column) const;
  bool is_true(const char* column) const { return text(column) == "t"; }

  /// Resolves the owner if it was named in this statement. The oid is 0 if the row says that the
  /// owner is gone.
  void bind_owner();
  /// Resolves the view if it was named in this statement.
  void bind_view();
  /// Stores the present owner of the view. The last owner stays in the row if the view is dropped.
  /// A number of a role that comes from a dump is replaced.
  void bind_view_owner();
};

/// The row of a BEFORE trigger. Throws SqlError 39P01 if the function was called otherwise.
NewRow new_row(FunctionCallInfo call);

}  // namespace metrics_refresh::api
