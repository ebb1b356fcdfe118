#include "api/option_table.hpp"

#include <algorithm>

#include "extension/privilege.hpp"
#include "extension/settings.hpp"

namespace metrics_refresh::api {

using pg::Param;

void refuse_option(const std::string& message, const std::string& hint) {
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, message, hint);
}

Param read_flag(const NamedArguments& arguments, const Option& option) {
  return *arguments.get_bool(option.name);
}

Param read_number(const NamedArguments& arguments, const Option& option) {
  const int number = *arguments.get_int32(option.name);
  if (number < option.low || number > option.high)
    refuse_option(std::string(option.name) + " must be between " +
                  std::to_string(static_cast<int>(option.low)) + " and " +
                  std::to_string(static_cast<int>(option.high)));
  return Param(option.type, Int32GetDatum(number));
}

Param read_limit(const NamedArguments& arguments, const Option& option) {
  const Param number = read_number(arguments, option);
  return *arguments.get_int32(option.name) == 0 ? Param::null(option.type) : number;
}

Param read_interval(const NamedArguments& arguments, const Option& option) {
  const Datum datum = arguments.datum(option.name);
  const auto* value = reinterpret_cast<const Interval*>(DatumGetPointer(datum));
  const double length =
      (30.0 * value->month + value->day) * kDayOfOptions + static_cast<double>(value->time) / 1000;
  // Months have no fixed length. An interval such as "1 month -29 days" is rejected, because other
  // code would compute another length for it.
  if (value->month != 0 || length < option.low || length > option.high)
    refuse_option(std::string(option.name) + " must be between " +
                  (option.low == 0 ? "0" : "1 millisecond") + " and 24 days");
  return Param(option.type, datum);
}

Param read_runtime(const NamedArguments& arguments, const Option& option, core::Duration accepted) {
  const Param value = read_interval(arguments, option);
  const Datum datum = arguments.datum(option.name);
  const auto* wanted = reinterpret_cast<const Interval*>(DatumGetPointer(datum));
  // read_interval() has excluded months.
  const core::Duration length(wanted->day * USECS_PER_DAY + wanted->time);
  if (length <= std::max(accepted, settings::max_job_runtime()) || extension::is_super_admin())
    return value;
  const char* limit = pg::call(
      [] { return GetConfigOptionByName("metrics_refresh.max_job_runtime", nullptr, false); });
  refuse_option(std::string(option.name) +
                    " must not be longer than metrics_refresh.max_job_runtime, " + limit,
                "A superuser can raise the setting.");
}

void add_new_option(const NamedArguments& arguments, const Option& option, Options& options) {
  // Functions declare only the options that apply to them.
  if (!arguments.has(option.name)) return;
  if (!arguments.is_null(option.name))
    options.columns.emplace_back(option.name, option.read(arguments, option));
  else if (option.optional)
    options.columns.emplace_back(option.name, Param::null(option.type));
  else
    Arguments::refuse_null(option.name);
}

void add_changed_option(const NamedArguments& arguments, const Option& option, Options& options) {
  if (!arguments.has(option.name) || arguments.is_null(option.name)) return;
  options.columns.emplace_back(option.name, option.read(arguments, option));
  options.reschedules = options.reschedules || option.reschedules;
}

}  // namespace metrics_refresh::api
