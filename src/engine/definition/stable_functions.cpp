// Lists of functions of the server whose results depend on settings.
//
// The volatility of a function in pg_proc is not enough. STABLE covers both now(), which changes
// all the time, and to_char(), which depends on a few settings. The lists name functions of the
// second kind. The fingerprint of a view includes the values of these settings. A function in no
// list is unknown, and if it is not IMMUTABLE, it is a reason against `skip`.
#include "engine/definition/stable_functions.hpp"

#include <algorithm>

#include "pg/time_zone.hpp"

namespace metrics_refresh::engine {
namespace {

// These functions convert between points in time and civil time (TimeZone), or write and read
// numbers and dates (DateStyle, IntervalStyle, the locale). Some of them are marked IMMUTABLE.
// Functions that read a date or a time from text are not listed, because the text may be "today".
constexpr Oid kBySettings[] = {F_AGE_TIMESTAMPTZ_TIMESTAMPTZ,
                               F_BOX_OUT,
                               F_BYTEAOUT,
                               F_CASH_IN,
                               F_CASH_OUT,
                               F_CIRCLE_OUT,
                               F_DATE_CMP_TIMESTAMPTZ,
                               F_DATE_EQ_TIMESTAMPTZ,
                               F_DATE_GE_TIMESTAMPTZ,
                               F_DATE_GT_TIMESTAMPTZ,
                               F_DATE_LE_TIMESTAMPTZ,
                               F_DATE_LT_TIMESTAMPTZ,
                               F_DATE_NE_TIMESTAMPTZ,
                               F_DATE_OUT,
                               F_DATE_PART_TEXT_TIMESTAMPTZ,
                               F_DATE_TIMESTAMPTZ,
                               F_DATE_TRUNC_TEXT_TIMESTAMPTZ,
                               F_DATE_TRUNC_TEXT_TIMESTAMPTZ_TEXT,
                               F_EXTRACT_TEXT_TIMESTAMPTZ,
                               F_FLOAT4OUT,
                               F_FLOAT8OUT,
                               F_GENERATE_SERIES_TIMESTAMPTZ_TIMESTAMPTZ_INTERVAL,
                               F_INTERVAL_IN,
                               F_INTERVAL_OUT,
                               F_INTERVAL_PL_TIMESTAMPTZ,
                               F_LINE_OUT,
                               F_LSEG_OUT,
                               F_MAKE_TIMESTAMPTZ_INT4_INT4_INT4_INT4_INT4_FLOAT8,
                               F_MAKE_TIMESTAMPTZ_INT4_INT4_INT4_INT4_INT4_FLOAT8_TEXT,
                               F_MONEY_INT4,
                               F_MONEY_INT8,
                               F_MONEY_NUMERIC,
                               F_NUMERIC_MONEY,
                               F_PATH_OUT,
                               F_POINT_OUT,
                               F_POLY_OUT,
                               F_QUOTE_IDENT,
                               F_TIMESTAMP_CMP_TIMESTAMPTZ,
                               F_TIMESTAMP_EQ_TIMESTAMPTZ,
                               F_TIMESTAMP_GE_TIMESTAMPTZ,
                               F_TIMESTAMP_GT_TIMESTAMPTZ,
                               F_TIMESTAMP_LE_TIMESTAMPTZ,
                               F_TIMESTAMP_LT_TIMESTAMPTZ,
                               F_TIMESTAMP_NE_TIMESTAMPTZ,
                               F_TIMESTAMP_OUT,
                               F_TIMESTAMP_TIMESTAMPTZ,
                               F_TIMESTAMPTZ_CMP_DATE,
                               F_TIMESTAMPTZ_CMP_TIMESTAMP,
                               F_TIMESTAMPTZ_DATE,
                               F_TIMESTAMPTZ_DATE_TIME,
                               F_TIMESTAMPTZ_EQ_DATE,
                               F_TIMESTAMPTZ_EQ_TIMESTAMP,
                               F_TIMESTAMPTZ_GE_DATE,
                               F_TIMESTAMPTZ_GE_TIMESTAMP,
                               F_TIMESTAMPTZ_GT_DATE,
                               F_TIMESTAMPTZ_GT_TIMESTAMP,
                               F_TIMESTAMPTZ_LE_DATE,
                               F_TIMESTAMPTZ_LE_TIMESTAMP,
                               F_TIMESTAMPTZ_LT_DATE,
                               F_TIMESTAMPTZ_LT_TIMESTAMP,
                               F_TIMESTAMPTZ_MI_INTERVAL,
                               F_TIMESTAMPTZ_NE_DATE,
                               F_TIMESTAMPTZ_NE_TIMESTAMP,
                               F_TIMESTAMPTZ_OUT,
                               F_TIMESTAMPTZ_PL_INTERVAL,
                               F_TIMESTAMPTZ_TIMESTAMP,
                               F_TIMETZ_TIMESTAMPTZ,
                               F_TIMEZONE_TEXT_TIMESTAMP,
                               F_TIMEZONE_TEXT_TIMESTAMPTZ,
                               F_TIME_TIMESTAMPTZ,
                               F_TO_CHAR_FLOAT4_TEXT,
                               F_TO_CHAR_FLOAT8_TEXT,
                               F_TO_CHAR_INT4_TEXT,
                               F_TO_CHAR_INT8_TEXT,
                               F_TO_CHAR_INTERVAL_TEXT,
                               F_TO_CHAR_NUMERIC_TEXT,
                               F_TO_CHAR_TIMESTAMPTZ_TEXT,
                               F_TO_CHAR_TIMESTAMP_TEXT,
                               F_TO_DATE,
                               F_TO_NUMBER,
                               F_TO_TIMESTAMP_TEXT_TEXT};

// These functions convert arguments of any type to text with the type's output function.
constexpr Oid kByArguments[] = {F_ANYTEXTCAT,
                                F_ARRAY_OUT,
                                F_ARRAY_TO_JSON_ANYARRAY,
                                F_ARRAY_TO_JSON_ANYARRAY_BOOL,
                                F_ARRAY_TO_STRING_ANYARRAY_TEXT,
                                F_ARRAY_TO_STRING_ANYARRAY_TEXT_TEXT,
                                F_CONCAT,
                                F_CONCAT_WS,
                                F_FORMAT_TEXT,
                                F_FORMAT_TEXT_ANY,
                                F_JSONB_AGG,
                                F_JSONB_BUILD_ARRAY_,
                                F_JSONB_BUILD_ARRAY_ANY,
                                F_JSONB_BUILD_OBJECT_,
                                F_JSONB_BUILD_OBJECT_ANY,
                                F_JSONB_OBJECT_AGG,
                                F_JSON_AGG,
                                F_JSON_BUILD_ARRAY_,
                                F_JSON_BUILD_ARRAY_ANY,
                                F_JSON_BUILD_OBJECT_,
                                F_JSON_BUILD_OBJECT_ANY,
                                F_JSON_OBJECT_AGG,
                                F_MULTIRANGE_OUT,
                                F_QUOTE_LITERAL_ANYELEMENT,
                                F_QUOTE_NULLABLE_ANYELEMENT,
                                F_RANGE_OUT,
                                F_TEXTANYCAT,
                                F_TO_JSON,
                                F_TO_JSONB};

// The settings that the functions above read.
constexpr const char* kSettings[] = {"TimeZone",     "timezone_abbreviations",
                                     "DateStyle",    "IntervalStyle",
                                     "lc_monetary",  "lc_numeric",
                                     "lc_time",      "extra_float_digits",
                                     "bytea_output", "quote_all_identifiers"};

}  // namespace

Stability stability_of(Oid function) {
  const auto is_in = [function](const auto& list) {
    return std::find(std::begin(list), std::end(list), function) != std::end(list);
  };
  if (is_in(kBySettings)) return Stability::kSettings;
  if (is_in(kByArguments)) return Stability::kArguments;
  return Stability::kUnknown;
}

bool is_written_stably(Oid type) {
  // A domain is written as its base type.
  type = getBaseType(type);
  const Oid element = get_element_type(type);
  if (OidIsValid(element)) return is_written_stably(element);
  if (type_is_rowtype(type)) return false;        // columns may be renamed or added
  if (type >= FirstNormalObjectId) return false;  // JSON functions look for a cast of the type
  if (type_is_range(type)) return is_written_stably(get_range_subtype(type));
  if (type_is_multirange(type))
    return is_written_stably(get_range_subtype(get_multirange_range(type)));
  Oid output;
  bool is_varlena;
  getTypeOutputInfo(type, &output, &is_varlena);
  return func_volatile(output) == PROVOLATILE_IMMUTABLE ||
         stability_of(output) == Stability::kSettings;
}

bool has_stable_arguments(Node* node) {
  switch (nodeTag(node)) {
    case T_CoerceViaIO:
      return is_written_stably(exprType(reinterpret_cast<Node*>(castNode(CoerceViaIO, node)->arg)));
    case T_FuncExpr:
    case T_OpExpr:
    case T_Aggref:
    case T_WindowFunc:
      break;
    default:
      return false;
  }
  List* arguments = NIL;
  if (IsA(node, FuncExpr)) arguments = castNode(FuncExpr, node)->args;
  if (IsA(node, OpExpr)) arguments = castNode(OpExpr, node)->args;
  if (IsA(node, WindowFunc)) arguments = castNode(WindowFunc, node)->args;
  if (IsA(node, Aggref)) arguments = castNode(Aggref, node)->args;
  ListCell* cell;
  foreach (cell, arguments) {
    Node* argument = static_cast<Node*>(lfirst(cell));
    if (IsA(argument, TargetEntry))
      argument = reinterpret_cast<Node*>(castNode(TargetEntry, argument)->expr);
    if (!is_written_stably(exprType(argument))) return false;
  }
  return true;
}

// The zone is the first argument of timezone() and the last argument of the other functions.
const char* zone_of_call(Node* node) {
  if (!IsA(node, FuncExpr)) return nullptr;
  const auto* const call = castNode(FuncExpr, node);
  if (call->funcid >= FirstNormalObjectId || call->args == NIL) return nullptr;
  const char* const name = get_func_name(call->funcid);
  bool has_zone_argument = false;
  for (const char* const one : {"timezone", "date_trunc", "make_timestamptz", "generate_series",
                                "date_add", "date_subtract"})
    has_zone_argument = has_zone_argument || strcmp(name, one) == 0;
  if (!has_zone_argument) return nullptr;
  const bool is_first = strcmp(name, "timezone") == 0;
  auto* const argument = static_cast<Node*>(is_first ? linitial(call->args) : llast(call->args));
  if (!IsA(argument, Const)) return nullptr;
  const auto* const value = castNode(Const, argument);
  if (value->constisnull || value->consttype != TEXTOID) return nullptr;
  return TextDatumGetCString(value->constvalue);
}

const char* settings_of_stable_functions() {
  StringInfoData text;
  initStringInfo(&text);
  for (const char* const name : kSettings) {
    const char* const value = GetConfigOption(name, true, false);
    appendStringInfo(&text, "%s=%s\n", name, value != nullptr ? value : "");
  }
  // The name of a zone stays the same when an update of the time zone database changes its rules.
  appendStringInfo(&text, "rules=" UINT64_FORMAT "\n", pg::rules_of_zone(session_timezone));
  return text.data;
}

}  // namespace metrics_refresh::engine
