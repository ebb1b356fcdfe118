// Reads the English of describe() back into schedules, by a grammar of its own: what the words
// leave open it cannot know. It shares nothing with core/.
//
//   rules    = rule { "; and " rule }
//   rule     = "once at each start of the server" | length " after the end of the previous run"
//            | interval | cron
//   interval = "every " length ", counted from 1970-01-01 00:00 UTC" | "every " days of the
//   calendar cron     = times [ note ] [ days ] [ months ] [ "; with H the field is " … " for this
//   job" ] times    = "at " clocks | [ seconds ] minutes [ hours ] days     = " on " weekdays
//            | " on " dates [ ", but only if that is " weekdays
//                           | ", and also on " weekdays " (a day needs …)" ]
//
// A list has ", " between its items and " and " before the last; "to" makes a range.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "unit/described_cron.hpp"
#include "unit/description_words.hpp"

namespace metrics_refresh::core::test {

class DescriptionReader : private DescriptionWords {
 public:
  /// The texts of schedules that are due, one or the other, when the description says. Throws
  /// std::invalid_argument where it is none. REQUIRES: `description` outlives the call.
  static std::vector<std::string> read(const std::string& description) {
    DescriptionReader reader(description);
    std::vector<std::string> texts;
    do texts.push_back(reader.rule());
    while (reader.skip("; and "));
    reader.require(reader.at_end());
    return texts;
  }

 private:
  explicit DescriptionReader(const std::string& text) : DescriptionWords(text), text_(text) {}

  std::string rule() {
    if (skip("once at each start of the server")) return "@reboot";
    std::string text;
    if (attempt([&] { return length(text) && skip(" after the end of the previous run"); }))
      return "@after " + text;
    if (attempt([&] { return skip("every ") && interval(text); })) return text;
    return cron();
  }

  bool interval(std::string& text) {
    constexpr std::array<std::array<const char*, 3>, 3> kForms = {
        {{"day at 00:00", " days at 00:00, counted from 1970-01-01", " days"},
         {"week on Monday at 00:00", " weeks on Monday at 00:00, counted from 1969-12-29",
          " weeks"},
         {"month on the 1st at 00:00", " months on the 1st at 00:00, counted from January 1970",
          " months"}}};
    for (const auto& [one, several, unit] : kForms) {
      unsigned n = 1;
      const char* const rest = several;
      if (!skip(one) && !attempt([&] { return number(n) && skip(rest); })) continue;
      text = std::to_string(n) + unit;
      return true;
    }
    return length(text) && skip(", counted from 1970-01-01 00:00 UTC");
  }

  // "1 hour 30 minutes"
  bool length(std::string& text) {
    text.clear();
    for (const char* const unit : {" hour", " minute", " second"}) {
      attempt([&] {
        unsigned n = 0;
        if (!text.empty() && !skip(" ")) return false;
        if (!number(n) || !skip(unit) || skip("s") != (n != 1)) return false;
        text += (text.empty() ? "" : " ") + std::to_string(n) + unit;
        return true;
      });
    }
    return !text.empty();
  }

  std::string cron() {
    cron_ = {};
    cron_.months = every(1, 1, 12);
    const std::size_t begin = text_.size() - left();
    if (!attempt([&] { return skip("at ") && clocks(); })) times();
    const std::size_t every_at = text_.find("every", begin);
    cron_.follows_clock = every_at < text_.size() - left();
    if (skip(" (twice if an hour repeats, not if one is skipped)")) cron_.follows_clock = true;
    if (skip(" (once if an hour repeats, right after one that is skipped)"))
      cron_.follows_clock = false;
    days();
    if (skip(", in ") || skip(" in ")) months();
    if (skip("; with H the field is ")) require(skip_to(" for this job"));
    return cron_.text();
  }

  // "02:30, 04:30 and 06:30": some minutes of some hours, all of them
  bool clocks() {
    std::size_t count = 0;
    const auto clock = [&] {
      unsigned hour = 0;
      unsigned minute = 0;
      unsigned second = 0;
      if (!number(hour) || !skip(":") || !number(minute)) return false;
      if (skip(":") && number(second)) cron_.seconds.insert(second);
      cron_.hours.insert(hour);
      cron_.minutes.insert(minute);
      ++count;
      return true;
    };
    if (!list(clock)) return false;
    const std::size_t seconds = std::max<std::size_t>(cron_.seconds.size(), 1);
    require(count == cron_.hours.size() * cron_.minutes.size() * seconds);
    return true;
  }

  void times() {
    cron_.minutes = every(1, 0, 59);
    cron_.hours = every(1, 0, 23);
    if (unit("second", cron_.seconds)) {
      if (!skip(" of every minute") && (skip(" of minutes ") || skip(" of minute ")))
        cron_.minutes = numbers(59);
    } else {
      require(unit("minute", cron_.minutes));
    }
    unsigned step = 0;
    if (skip(" of every hour")) return;
    if (skip(" in the hours ") || skip(" in the hour ")) cron_.hours = numbers(23);
    if (skip(" of every ")) {
      require(number(step) && skip(" hours from midnight"));
      cron_.hours = every(step, 0, 23);
    }
  }

  // "every minute", "every 5 minutes", "at minute 3", "at minutes 3 and 10 to 20"
  bool unit(const std::string& name, Numbers& set) {
    unsigned step = 1;
    if (attempt([&] { return skip("every ") && skip(name); }) ||
        attempt([&] { return skip("every ") && number(step) && skip(" " + name + "s"); })) {
      set = every(step, 0, 59);
      return true;
    }
    if (!skip("at " + name + "s ") && !skip("at " + name + " ")) return false;
    set = numbers(59);
    return true;
  }

  void days() {
    if (attempt([&] { return skip(" on ") && dates() && skip(" of the month"); })) {
      cron_.has_dates = true;
      cron_.both = skip(", but only if that is ");
      if (cron_.both) require(weekdays());
      if (skip(", and also on "))
        require(weekdays() && skip(" (a day needs to match only one of the two)"));
    } else if (skip(" on ")) {
      require(weekdays());
    }
  }

  bool dates() {
    return list([&] { return date(); });
  }

  bool date() {
    unsigned n = 0;
    if (skip("every ")) {
      require(ordinal(n) && skip(" day from the 1st"));
      cron_.dates.merge(every(n, 1, 31));
    } else if (skip("the last day from Monday to Friday")) {
      cron_.last_working_day = true;
    } else if (skip("the last day")) {
      cron_.before_last.insert(0);
    } else if (skip("the day before the last")) {
      cron_.before_last.insert(1);
    } else if (skip("the day from Monday to Friday nearest to the ")) {
      require(ordinal(n));
      cron_.nearest.insert(n);
    } else if (skip("the day ")) {
      require(number(n) && skip(" days before the last"));
      cron_.before_last.insert(n);
    } else {
      return skip("the ") && range(cron_.dates, 31, [&](unsigned& day) { return ordinal(day); });
    }
    return true;
  }

  bool weekdays() {
    bool counted = false;
    cron_.has_weekdays = list([&] {
      if (!skip("the "))
        return range(cron_.weekdays, 6, [&](unsigned& n) { return name(kWeekdays, n); });
      unsigned which = 0;
      unsigned n = 0;
      if (!name(kWhich, which) || !skip(" ") || !name(kWeekdays, n)) return false;
      (which < 5 ? cron_.nth_weekdays[which] : cron_.last_weekdays).insert(n);
      return counted = true;
    });
    return cron_.has_weekdays && (!counted || skip(" of the month"));
  }

  void months() {
    Numbers from_zero;
    require(
        list([&] { return range(from_zero, 11, [&](unsigned& n) { return name(kMonths, n); }); }));
    cron_.months.clear();
    for (const unsigned month : from_zero) cron_.months.insert(month + 1);
  }

  static constexpr std::array<const char*, 6> kWhich = {"first",  "second", "third",
                                                        "fourth", "fifth",  "last"};
  static constexpr std::array<const char*, 12> kMonths = {
      "January", "February", "March",     "April",   "May",      "June",
      "July",    "August",   "September", "October", "November", "December"};
  static constexpr std::array<const char*, 7> kWeekdays = {
      "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

  const std::string& text_;
  DescribedCron cron_;
};

}  // namespace metrics_refresh::core::test
