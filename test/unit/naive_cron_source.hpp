// Random expressions of every form that the grammar has, for the oracle.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "unit/naive_cron.hpp"

namespace metrics_refresh::core::test {

/// Draws expressions of every form that the grammar has.
class NaiveCronSource {
 public:
  explicit NaiveCronSource(unsigned seed) : random_(seed) {}

  int number(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  NaiveCron next() {
    while (true) {
      const bool has_seconds = number(0, 7) == 0;
      const bool rare = has_seconds || number(0, 3) != 0;  // else thousands of due times
      NaiveCron cron{field(0, 59, 59, rare), field(0, 23, 23, rare),
                     days(field(1, 31, 31, false), false), field(1, 12, 12, false),
                     days(field(0, 7, 6, false), true)};
      if (has_seconds) {
        cron.minute = single(59);
        cron.hour = single(23);
        cron.second = field(0, 59, 59, false);
      }
      if (cron.possible()) return cron;
    }
  }

 private:
  NaiveField field(int low, int high, int last, bool rare) {
    NaiveField result{"", std::vector<bool>(static_cast<std::size_t>(high) + 1)};
    const int items = number(0, 3) == 0 ? number(2, 4) : 1;
    for (int i = 0; i < items; ++i) {
      if (i > 0) result.text += ',';
      const int form = number(rare ? 2 : 0, 9);
      if (form <= 2) {
        const int step = form == 2 ? number(1, last - low) : 1;
        result.text += form == 2 ? "*/" + std::to_string(step) : "*";
        fill(result, low, last, step);
        result.is_open = true;
      } else if (form <= 6) {
        const int value = number(low, high);
        result.text += std::to_string(value);
        fill(result, value, value, 1);
      } else {
        const int from = number(low, last);
        const bool open = form == 9 && number(0, 2) == 0;  // a/n
        const int to = open ? last : number(low, last);
        const int size = last - low + 1;
        const int span = to >= from ? to - from : to - from + size;
        const int step =
            form == 9 ? number(1, number(0, 3) == 0 ? size - 1 : std::max(span, 1)) : 1;
        result.text += std::to_string(from);
        if (!open) result.text += "-" + std::to_string(to);
        if (form == 9) result.text += "/" + std::to_string(step);
        result.is_open |= form == 9 && step <= std::max(span, 1);
        for (int n = 0; n <= span; n += step)
          result.holds[static_cast<std::size_t>(low + (from - low + n) % size)] = true;
      }
    }
    return result;
  }

  NaiveField single(int high) {
    NaiveField result{"", std::vector<bool>(static_cast<std::size_t>(high) + 1)};
    const int value = number(0, high);
    result.text = std::to_string(value);
    fill(result, value, value, 1);
    return result;
  }

  // Every other field has days that only a month makes into numbers, in place of the others or
  // beside them; or it is a question mark.
  NaiveField days(NaiveField field, bool of_week) {
    if (number(0, 1) == 0) return field;
    if (!of_week && number(0, 4) == 0) {
      field.text = '?';
      fill(field, 1, 31, 1);
      return field;
    }
    if (number(0, 1) == 0) {
      field.text.clear();
      std::fill(field.holds.begin(), field.holds.end(), false);
    }
    for (int items = number(1, 2); items > 0; --items) {
      if (!field.text.empty()) field.text += ',';
      field.text += of_week ? add_weekday(field) : add_date(field);
    }
    return field;
  }

  std::string add_date(NaiveField& field) {
    const int form = number(0, 3);
    const int before = form == 0 ? 0 : number(1, 30);
    if (form <= 1) {
      field.days.push_back({NaiveDay::kBeforeLast, before});
      return before == 0 ? (number(0, 1) == 0 ? "L" : "$") : "L-" + std::to_string(before);
    }
    field.days.push_back({form == 2 ? NaiveDay::kLastWorking : NaiveDay::kNearest, before + 1});
    return form == 2 ? "LW" : std::to_string(before + 1) + "W";
  }

  std::string add_weekday(NaiveField& field) {
    const char* const names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
    const int weekday = number(0, 6);
    const int nth = number(0, 5);
    const std::string name = number(0, 1) == 0 ? names[weekday] : std::to_string(weekday);
    field.days.push_back({nth == 0 ? NaiveDay::kLastWeekday : NaiveDay::kNthWeekday, weekday, nth});
    return name + (nth == 0 ? "L" : "#" + std::to_string(nth));
  }

  static void fill(NaiveField& field, int from, int to, int step) {
    for (int n = from; n <= to; n += step) field.holds[static_cast<std::size_t>(n)] = true;
  }

  std::mt19937 random_;
};

}  // namespace metrics_refresh::core::test
