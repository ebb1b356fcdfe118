// Conversion between SQL values and C++ values at the interface of SQL functions. Server calls that
// may raise an error are inside pg::call(), and strings are built outside of it: an error would
// skip their destructors.
#include "api/arguments.hpp"

#include <algorithm>
#include <cstdio>

#include "pg/time.hpp"

namespace metrics_refresh::api {
namespace {

struct Values {
  Datum* values;
  bool* nulls;
};

// One element more than needed, because there may be no columns. REQUIRES: called inside call().
Values server_values(const std::vector<pg::Param>& columns) {
  Values result = {static_cast<Datum*>(palloc(sizeof(Datum) * (columns.size() + 1))),
                   static_cast<bool*>(palloc(columns.size() + 1))};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    result.nulls[i] = columns[i].is_null();
    result.values[i] = columns[i].is_null() ? 0 : columns[i].datum();
  }
  return result;
}

// escape_json() of the server knows the rules, so they are not repeated here.
std::string quoted(const std::string& value) {
  const char* text = value.c_str();
  return pg::call([text]() -> const char* {
    StringInfoData buffer;
    initStringInfo(&buffer);
    escape_json(&buffer, text);
    return buffer.data;
  });
}

}  // namespace

std::optional<std::string> Arguments::get_text(int n) const {
  if (is_null(n)) return std::nullopt;
  const Datum value = datum(n);
  // The value may be compressed or stored out of line.
  const ::text* packed = pg::call([value] { return DatumGetTextPP(value); });
  return std::string(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
}

std::optional<std::string> Arguments::get_name(int n) const {
  if (is_null(n)) return std::nullopt;
  return std::string(NameStr(*DatumGetName(datum(n))));
}

std::optional<bool> Arguments::get_bool(int n) const {
  if (is_null(n)) return std::nullopt;
  return DatumGetBool(datum(n));
}

std::optional<std::int64_t> Arguments::get_int64(int n) const {
  if (is_null(n)) return std::nullopt;
  return DatumGetInt64(datum(n));
}

std::optional<int> Arguments::get_int32(int n) const {
  if (is_null(n)) return std::nullopt;
  return DatumGetInt32(datum(n));
}

std::optional<Oid> Arguments::get_oid(int n) const {
  if (is_null(n)) return std::nullopt;
  return DatumGetObjectId(datum(n));
}

std::optional<core::Instant> Arguments::get_instant(int n) const {
  if (is_null(n)) return std::nullopt;
  const TimestampTz value = DatumGetTimestampTz(datum(n));
  if (TIMESTAMP_NOT_FINITE(value))
    throw pg::SqlError(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "the timestamp must be finite");
  return pg::to_instant(value);
}

NamedArguments::NamedArguments(FunctionCallInfo call) : arguments_(call) {
  struct Names {
    char** names;
    int count;
  };
  const Oid function = call->flinfo->fn_oid;
  // The names come from the catalog, because the server passes arguments by position only.
  const Names found = pg::call([function] {
    const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for function %u", function);
    Names result = {};
    Oid* types;
    char* modes;
    result.count = get_func_arg_info(tuple, &types, &result.names, &modes);
    ReleaseSysCache(tuple);
    return result;
  });
  if (found.names != nullptr) names_.assign(found.names, found.names + found.count);
}

bool NamedArguments::has(const char* name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

int NamedArguments::number_of(const char* name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end())
    throw pg::SqlError(ERRCODE_INTERNAL_ERROR,
                       std::string("the function has no argument named ") + name);
  return static_cast<int>(found - names_.begin());
}

Datum text_result(std::string_view value) {
  return pg::call([value] {
    return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size())));
  });
}

Datum row_result(FunctionCallInfo call, const std::vector<pg::Param>& columns) {
  return pg::call([call, &columns] {
    TupleDesc description;
    if (get_call_result_type(call, nullptr, &description) != TYPEFUNC_COMPOSITE)
      elog(ERROR, "the function must return a row");
    const Values row = server_values(columns);
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description), row.values, row.nulls));
  });
}

SetResult::SetResult(FunctionCallInfo call) {
  result_ = pg::call([call] {
    // The declaration of the function in the install script determines the columns.
    InitMaterializedSRF(call, MAT_SRF_USE_EXPECTED_DESC);
    return reinterpret_cast<ReturnSetInfo*>(call->resultinfo);
  });
}

void SetResult::add(const std::vector<pg::Param>& columns) {
  pg::call([this, &columns] {
    const Values row = server_values(columns);
    tuplestore_putvalues(result_->setResult, result_->setDesc, row.values, row.nulls);
  });
}

void JsonObject::begin_member(const char* name) {
  text_ += text_.empty() ? "" : ", ";
  text_ += quoted(name) + ": ";
}

JsonObject& JsonObject::add(const char* name, const std::string& value) {
  begin_member(name);
  text_ += quoted(value);
  return *this;
}

JsonObject& JsonObject::add(const char* name, bool value) {
  begin_member(name);
  text_ += value ? "true" : "false";
  return *this;
}

JsonObject& JsonObject::add(const char* name, std::int64_t value) {
  begin_member(name);
  text_ += std::to_string(value);
  return *this;
}

JsonObject& JsonObject::add(const char* name, double value) {
  char number[64];
  // Three digits after the decimal point; std::to_string() would print six.
  std::snprintf(number, sizeof number, "%.3f", value);
  begin_member(name);
  text_ += number;
  return *this;
}

Datum JsonObject::result() const {
  const std::string whole = "{" + text_ + "}";
  const char* text = whole.c_str();
  return pg::call([text] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(text)); });
}

}  // namespace metrics_refresh::api
