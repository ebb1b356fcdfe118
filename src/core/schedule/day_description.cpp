#include "core/schedule/day_description.hpp"

#include <array>

namespace metrics_refresh::core {
namespace {

constexpr std::array<const char*, 13> kMonths = {
    "",     "January", "February",  "March",   "April",    "May",     "June",
    "July", "August",  "September", "October", "November", "December"};
constexpr std::array<const char*, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                  "Thursday", "Friday", "Saturday"};
constexpr std::array<const char*, 5> kNth = {"first", "second", "third", "fourth", "fifth"};
constexpr std::uint32_t kAllMonths = 0x1FFE;
constexpr std::uint8_t kAllWeekdays = 0x7F;

std::string ordinal(unsigned n) {
  const unsigned ten = n / 10 % 10;
  const char* const ending = ten == 1      ? "th"
                             : n % 10 == 1 ? "st"
                             : n % 10 == 2 ? "nd"
                             : n % 10 == 3 ? "rd"
                                           : "th";
  return std::to_string(n) + ending;
}

std::string weekday(unsigned n) { return kWeekdays[n]; }

void append(std::vector<std::string>& items, const std::vector<std::string>& more,
            const std::string& before = {}) {
  for (const std::string& item : more) items.push_back(before + item);
}

// Each member gets a text of its own: "the first Monday to Friday" could be taken for a single day.
template <typename Name>
void append_each(std::vector<std::string>& items, std::uint32_t set, const std::string& before,
                 Name name) {
  for (; set != 0; set &= set - 1)
    items.push_back(before + name(static_cast<unsigned>(__builtin_ctz(set))));
}

// If the days are 1, 1 + n, 1 + 2n, ... to the end of the month, and at least four, returns n;
// otherwise returns 0. With fewer days, a list is easier to read.
unsigned step_of(std::uint32_t days) {
  if ((days >> 1 & 1U) == 0 || __builtin_popcount(days) < 4) return 0;
  const unsigned step = static_cast<unsigned>(__builtin_ctz(days >> 2)) + 1;
  std::uint32_t expected = 0;
  for (unsigned day = 1; day <= 31; day += step) expected |= 1U << day;
  return days == expected ? step : 0;
}

std::string describe_dates(const DayRule& day) {
  std::vector<std::string> items;
  const unsigned step = step_of(day.days);
  if (step > 1)
    // The step starts again in each month, which "from the 1st" says.
    items.push_back("every " + ordinal(step) + " day from the 1st");
  else
    append(items, items_of(day.days, ordinal), "the ");
  append_each(items, day.nearest, "the day from Monday to Friday nearest to the ", ordinal);
  for (unsigned before = 0; before < 31; ++before) {
    if ((day.before_last >> (31 - before) & 1U) == 0) continue;
    if (before == 0)
      items.emplace_back("the last day");
    else if (before == 1)
      items.emplace_back("the day before the last");
    else
      items.push_back("the day " + std::to_string(before) + " days before the last");
  }
  if (day.last_working_day) items.emplace_back("the last day from Monday to Friday");
  return joined(items) + " of the month";
}

// The set is rotated so that Monday comes first, and Saturday and Sunday form one range.
std::vector<std::string> weekday_items(std::uint8_t set) {
  const unsigned from_monday = static_cast<unsigned>(set >> 1) | (set & 1U) << 6;
  return items_of(from_monday, [](unsigned n) { return weekday((n + 1) % 7); });
}

std::string describe_weekdays(const DayRule& day) {
  std::vector<std::string> items = weekday_items(day.weekdays);
  std::vector<std::string> counted;
  for (std::size_t n = 0; n < kNth.size(); ++n)
    append_each(counted, day.nth_weekdays[n], std::string("the ") + kNth[n] + ' ', weekday);
  append_each(counted, day.last_weekdays, "the last ", weekday);
  if (counted.empty()) return joined(items);
  append(items, counted);
  return joined(items) + " of the month";
}

}  // namespace

std::string joined(const std::vector<std::string>& items, const char* last) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? last : ", ";
    text += items[i];
  }
  return text;
}

std::string describe_days(const CronExpression& cron) {
  const DayRule& day = cron.pattern().day;
  constexpr std::uint32_t kAllDates = 0xFFFFFFFE;
  // A field that matches every day is not mentioned, unless it is one of two alternatives.
  const bool has_dates = day.either || day.days != kAllDates;
  const bool has_weekdays = day.either || day.weekdays != kAllWeekdays;
  std::string text;
  if (has_dates) text += " on " + describe_dates(day);
  if (has_dates && has_weekdays) text += day.either ? ", and also" : ", but only if that is";
  if (has_weekdays) {
    const bool only = has_dates && !day.either;
    text += (only ? " " : " on ") + describe_weekdays(day);
  }
  if (day.either) text += " (a day needs to match only one of the two)";
  const std::uint32_t months = cron.pattern().months;
  if (months != kAllMonths)
    text += (text.empty() ? " in " : ", in ") +
            joined(items_of(months, [](unsigned n) { return std::string(kMonths[n]); }));
  return text;
}

}  // namespace metrics_refresh::core
