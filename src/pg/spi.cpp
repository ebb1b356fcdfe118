// SQL through SPI.
//
// Each statement text is prepared once in a process, and its plan is saved. Parameters are
// converted to Datums inside pg::call(), because their allocation may raise an error. Results are
// read from the tuple table by the names of their columns.
#include "pg/spi.hpp"

#include <cstring>
#include <unordered_map>

#include "pg/time.hpp"

namespace metrics_refresh::pg {

Param::Param(core::Instant value)
    : Param(TIMESTAMPTZOID, TimestampTzGetDatum(to_timestamptz(value))) {}

Param Param::null(Oid type) {
  Param param(type, 0);
  param.null_ = true;
  return param;
}

Param Param::array(std::vector<std::int64_t> values) {
  Param param(INT8ARRAYOID, 0);
  param.numbers_ = std::move(values);
  return param;
}

Datum Param::datum() const {
  switch (type_) {
    case TEXTOID:
      // A Datum from the server is passed on. A C++ text is copied into server memory.
      if (value_ != 0) return value_;
      return PointerGetDatum(
          cstring_to_text_with_len(text_.data(), static_cast<int>(text_.size())));
    case INT8ARRAYOID: {
      if (value_ != 0) return value_;
      auto* elements = static_cast<Datum*>(palloc(sizeof(Datum) * (numbers_.size() + 1)));
      for (std::size_t i = 0; i < numbers_.size(); ++i) elements[i] = Int64GetDatum(numbers_[i]);
      return PointerGetDatum(construct_array(elements, static_cast<int>(numbers_.size()), INT8OID,
                                             sizeof(std::int64_t), FLOAT8PASSBYVAL,
                                             TYPALIGN_DOUBLE));
    }
    default:
      return value_;
  }
}

std::vector<std::string> texts_of(Datum array, const char* name) {
  struct Elements {
    Datum* values;
    bool* nulls;
    int count;
  };
  const Elements elements = call([=] {
    Elements found = {};
    deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &found.values,
                      &found.nulls, &found.count);
    for (int i = 0; i < found.count; ++i)
      if (found.nulls[i])
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                errmsg("%s must not contain NULL", name));
    return found;
  });
  std::vector<std::string> texts;
  for (int i = 0; i < elements.count; ++i) {
    const Datum element = elements.values[i];
    const ::text* packed = call([element] { return DatumGetTextPP(element); });
    texts.emplace_back(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
  }
  return texts;
}

// The names come from the tuple descriptor. Nothing here can raise a server error: the names are
// compared in place, and a missing one is an exception of C++.
int Rows::number_of(const char* column) const {
  const TupleDesc descriptor = table_->tupdesc;
  const int count = descriptor->natts;
  for (int tries = 0; tries < count; ++tries) {
    const char* const name = NameStr(TupleDescAttr(descriptor, last_found_)->attname);
    // Most names differ in the first letter, which saves the call.
    if (*name == *column && std::strcmp(name, column) == 0) return last_found_ + 1;
    last_found_ = last_found_ + 1 < count ? last_found_ + 1 : 0;
  }
  throw SqlError(ERRCODE_INTERNAL_ERROR,
                 "the result of a query has no column \"" + std::string(column) + "\"");
}

Rows::Cell Rows::cell(std::size_t row, const char* column) const {
  Cell found;
  found.number = number_of(column);
  found.value = SPI_getbinval(table_->vals[row], table_->tupdesc, found.number, &found.is_null);
  return found;
}

std::string Rows::text_of(const Cell& cell) const {
  const Datum datum = cell.value;
  // name has a fixed length and no header.
  if (SPI_gettypeid(table_->tupdesc, cell.number) == NAMEOID) return NameStr(*DatumGetName(datum));
  const auto* packed = reinterpret_cast<const ::text*>(DatumGetPointer(datum));
  // Only such a value is copied, which can raise an error. Most are read in place.
  if (VARATT_IS_COMPRESSED(packed) || VARATT_IS_EXTERNAL(packed))
    packed = call([datum] { return DatumGetTextPP(datum); });
  return std::string(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
}

bool Rows::is_null(std::size_t row, const char* column) const { return cell(row, column).is_null; }

std::string Rows::get_text(std::size_t row, const char* column) const {
  return text_of(cell(row, column));
}

std::int64_t Rows::get_int64(std::size_t row, const char* column) const {
  return DatumGetInt64(cell(row, column).value);
}

double Rows::get_float8(std::size_t row, const char* column) const {
  return DatumGetFloat8(cell(row, column).value);
}

bool Rows::get_bool(std::size_t row, const char* column) const {
  return DatumGetBool(cell(row, column).value);
}

Oid Rows::get_oid(std::size_t row, const char* column) const {
  return DatumGetObjectId(cell(row, column).value);
}

core::Instant Rows::get_instant(std::size_t row, const char* column) const {
  return to_instant(DatumGetTimestampTz(cell(row, column).value));
}

std::vector<std::string> Rows::get_text_array(std::size_t row, const char* column) const {
  return texts_of(cell(row, column).value, "the array");
}

std::vector<std::int64_t> Rows::get_int64_array(std::size_t row, const char* column) const {
  const Datum datum = cell(row, column).value;
  struct Elements {
    Datum* values;
    int count;
  };
  const Elements elements = call([datum] {
    Elements found = {};
    deconstruct_array(DatumGetArrayTypeP(datum), INT8OID, sizeof(std::int64_t), FLOAT8PASSBYVAL,
                      TYPALIGN_DOUBLE, &found.values, nullptr, &found.count);
    return found;
  });
  std::vector<std::int64_t> numbers;
  for (int i = 0; i < elements.count; ++i) numbers.push_back(DatumGetInt64(elements.values[i]));
  return numbers;
}

std::optional<std::string> Rows::get_text_or_null(std::size_t row, const char* column) const {
  const Cell found = cell(row, column);
  if (found.is_null) return std::nullopt;
  return text_of(found);
}

std::string Rows::get_text_or_empty(std::size_t row, const char* column) const {
  const Cell found = cell(row, column);
  return found.is_null ? std::string() : text_of(found);
}

std::optional<std::int64_t> Rows::get_int64_or_null(std::size_t row, const char* column) const {
  const Cell found = cell(row, column);
  if (found.is_null) return std::nullopt;
  return DatumGetInt64(found.value);
}

std::optional<core::Instant> Rows::get_instant_or_null(std::size_t row, const char* column) const {
  const Cell found = cell(row, column);
  if (found.is_null) return std::nullopt;
  return to_instant(DatumGetTimestampTz(found.value));
}

Param Rows::copied(std::size_t row, const char* column, MemoryContext context) const {
  const Cell found = cell(row, column);
  const Oid type = SPI_gettypeid(table_->tupdesc, found.number);
  if (found.is_null) return Param::null(type);
  return Param(type, call([=] {
                 MemoryContext const saved = MemoryContextSwitchTo(context);
                 const Form_pg_attribute attribute =
                     TupleDescAttr(table_->tupdesc, found.number - 1);
                 const Datum copy = datumCopy(found.value, attribute->attbyval, attribute->attlen);
                 MemoryContextSwitchTo(saved);
                 return copy;
               }));
}

Spi::Spi() : uncaught_(std::uncaught_exceptions()) {
  call([] { (void)SPI_connect(); });
}

Spi::~Spi() {
  // After an error, the abort has closed the connection, and SPI_finish() would close an outer one.
  if (std::uncaught_exceptions() == uncaught_) (void)SPI_finish();
}

namespace {

// The key of a plan. Types are part of it, because a NULL can have any type.
std::string plan_key(std::string_view sql, const std::vector<Param>& params) {
  std::string key(sql);
  for (const Param& param : params) key += '\0' + std::to_string(param.type());
  return key;
}

// The plan of the statement, made at its first use and kept for the life of the process. The server
// makes a new plan if an object that the statement depends on has changed.
SPIPlanPtr plan_of(std::string_view sql, const std::vector<Param>& params) {
  // Never destroyed: no C++ destructors run at exit.
  static auto& plans = *new std::unordered_map<std::string, SPIPlanPtr>;
  std::string key = plan_key(sql, params);
  const auto known = plans.find(key);
  if (known != plans.end()) return known->second;
  // The text ends at the first zero byte of the key.
  const char* text = key.c_str();
  SPIPlanPtr plan = call([text, &params]() -> SPIPlanPtr {
    const int count = static_cast<int>(params.size());
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * (params.size() + 1)));
    for (int i = 0; i < count; ++i) types[i] = params[static_cast<std::size_t>(i)].type();
    SPIPlanPtr made = SPI_prepare(text, count, types);
    if (made == nullptr) elog(ERROR, "SPI_prepare: %s", SPI_result_code_string(SPI_result));
    if (SPI_keepplan(made) != 0) elog(ERROR, "SPI_keepplan failed");
    return made;
  });
  plans.emplace(std::move(key), plan);
  return plan;
}

}  // namespace

Rows Spi::query(std::string_view sql, const std::vector<Param>& params) {
  return run(sql, params, false);
}

Rows Spi::query_latest(std::string_view sql, const std::vector<Param>& params) {
  return query_at(call([] { return GetLatestSnapshot(); }), sql, params);
}

Rows Spi::query_at(Snapshot snapshot, std::string_view sql, const std::vector<Param>& params) {
  // SPI uses the active snapshot for a read-only execution.
  call([snapshot] { PushActiveSnapshot(snapshot); });
  const Rows rows = run(sql, params, true);
  call([] { PopActiveSnapshot(); });
  return rows;
}

Rows Spi::run(std::string_view sql, const std::vector<Param>& params, bool read_only) {
  SPIPlanPtr const plan = plan_of(sql, params);
  const int code = call([&] {
    // One element more than needed: there may be no parameters.
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (params.size() + 1)));
    auto* nulls = static_cast<char*>(palloc(params.size() + 1));
    for (std::size_t i = 0; i < params.size(); ++i) {
      nulls[i] = params[i].is_null() ? 'n' : ' ';
      values[i] = params[i].is_null() ? 0 : params[i].datum();
    }
    return SPI_execute_plan(plan, values, nulls, read_only, 0);
  });
  if (code < 0) throw SqlError(ERRCODE_INTERNAL_ERROR, SPI_result_code_string(code));
  return Rows(SPI_tuptable, SPI_processed);
}

void Spi::run_discarding(const std::string& sql) {
  const char* text = sql.c_str();
  const int code = call([text] {
    SPIExecuteOptions options = {};
    options.dest = None_Receiver;
    return SPI_execute_extended(text, &options);
  });
  if (code < 0) throw SqlError(ERRCODE_INTERNAL_ERROR, SPI_result_code_string(code));
}

}  // namespace metrics_refresh::pg
