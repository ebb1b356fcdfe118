// SQL from C++: a connection as a scope, bound parameters, and rows as typed values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// A bound parameter. Texts are copied into server memory when the statement runs.
class Param {
 public:
  Param(std::int64_t value) : Param(INT8OID, Int64GetDatum(value)) {}
  Param(int value) : Param(static_cast<std::int64_t>(value)) {}
  Param(bool value) : Param(BOOLOID, BoolGetDatum(value)) {}
  Param(double value) : Param(FLOAT8OID, Float8GetDatum(value)) {}
  Param(core::Instant value);
  Param(std::string value) : type_(TEXTOID), text_(std::move(value)) {}
  Param(const char* value) : Param(std::string(value)) {}
  /// A value in the server's representation.
  Param(Oid type, Datum value) : type_(type), value_(value) {}
  /// A NULL of this type.
  static Param null(Oid type);
  /// A NULL if the text is empty.
  static Param text_or_null(std::string text) {
    return text.empty() ? null(TEXTOID) : Param(std::move(text));
  }
  static Param oid(Oid value) { return Param(OIDOID, ObjectIdGetDatum(value)); }
  static Param array(std::vector<std::int64_t> values);
  template <typename T>
  static Param nullable(const std::optional<T>& value, Oid type) {
    return value ? Param(*value) : null(type);
  }

  Oid type() const noexcept { return type_; }
  bool is_null() const noexcept { return null_; }
  /// May raise an error. REQUIRES: called inside call().
  Datum datum() const;

 private:
  Oid type_;
  Datum value_ = 0;
  bool null_ = false;
  std::string text_;
  std::vector<std::int64_t> numbers_;
};

/// The elements of a text[]. Throws PgError 22004 if one is NULL; the message calls the array
/// `name`.
std::vector<std::string> texts_of(Datum array, const char* name);

/// The rows of the last statement. Valid until the next statement on the same connection.
///
/// A column is read by its name: rows.get_text(i, "job_name"). The names of a result must be
/// unique. An expression has a name only with AS; a cast of a column keeps the name of the column.
/// All readers throw SqlError XX000 if the result has no column of this name. The search starts at
/// the column that was found last, so that reading in the order of the result is cheap.
class Rows {
 public:
  Rows(SPITupleTable* table, std::uint64_t count) : table_(table), count_(count) {}

  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }

  bool is_null(std::size_t row, const char* column) const;
  // For columns that are not NULL and have exactly this SQL type; get_text() also reads name.
  // Arrays must not contain NULL.
  std::string get_text(std::size_t row, const char* column) const;
  std::int64_t get_int64(std::size_t row, const char* column) const;
  double get_float8(std::size_t row, const char* column) const;
  bool get_bool(std::size_t row, const char* column) const;
  Oid get_oid(std::size_t row, const char* column) const;
  core::Instant get_instant(std::size_t row, const char* column) const;
  std::vector<std::string> get_text_array(std::size_t row, const char* column) const;
  std::vector<std::int64_t> get_int64_array(std::size_t row, const char* column) const;
  // The same for columns that may be NULL.
  std::optional<std::string> get_text_or_null(std::size_t row, const char* column) const;
  std::string get_text_or_empty(std::size_t row, const char* column) const;  // NULL reads as ""
  std::optional<std::int64_t> get_int64_or_null(std::size_t row, const char* column) const;
  std::optional<core::Instant> get_instant_or_null(std::size_t row, const char* column) const;
  /// The value as a parameter that was copied into `context`, or NULL.
  Param copied(std::size_t row, const char* column, MemoryContext context) const;

 private:
  struct Cell {
    Datum value;
    bool is_null;
    int number;  // of the column, from 1
  };

  Cell cell(std::size_t row, const char* column) const;
  int number_of(const char* column) const;
  std::string text_of(const Cell& cell) const;

  SPITupleTable* table_;
  std::size_t count_;
  mutable int last_found_ = 0;  // index of a column, from 0
};

/// An SPI connection for the life of the scope. After an error, the abort of the transaction or
/// subtransaction closes it, and the destructor does nothing.
class Spi {
 public:
  Spi();
  ~Spi();
  Spi(const Spi&) = delete;
  Spi& operator=(const Spi&) = delete;

  /// Runs one statement. The plan is kept, so the number of different texts must be limited. Throws
  /// PgError.
  Rows query(std::string_view sql, const std::vector<Param>& params = {});

  /// Runs one statement that only reads, with a snapshot taken now instead of the transaction's.
  Rows query_latest(std::string_view sql, const std::vector<Param>& params = {});

  /// Runs one statement that only reads, with the active snapshot.
  Rows query_active(std::string_view sql, const std::vector<Param>& params = {}) {
    return run(sql, params, true);
  }

  /// Runs one statement that only reads, with a given snapshot, so that several statements and
  /// scans see the same rows.
  Rows query_at(Snapshot snapshot, std::string_view sql, const std::vector<Param>& params = {});

  /// Runs any statements and discards their rows as they are produced.
  void run_discarding(const std::string& sql);

 private:
  Rows run(std::string_view sql, const std::vector<Param>& params, bool read_only);

  int uncaught_;
};

}  // namespace metrics_refresh::pg
