// Random texts of schedules with everything that the dialect has. Some of them are refused: for
// dates that no year has, or because both day fields are `?`.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace metrics_refresh::core::test {

class ScheduleSource {
 public:
  explicit ScheduleSource(unsigned seed) : random_(seed) {}

  std::string next() {
    std::string text = rule();
    while (one_in(8)) text += "; " + rule();
    return text;
  }

 private:
  struct Field {
    int low, high;
    const char* names;  // three letters each
  };
  static constexpr Field kSixty = {0, 59, ""};

  std::string rule() {
    if (one_in(10)) return interval();
    if (one_in(40)) return pick({"@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@reboot"});
    std::string text = one_in(5) ? "@seconds " + field(kSixty) + " " : "";
    text += field(kSixty) + " " + field({0, 23, ""}) + " " + field({1, 31, ""}, Days::kOfMonth);
    text += " " + (one_in(2) ? "*" : field({1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"}));
    return text + " " + field({0, 6, "sunmontuewedthufrisat"}, Days::kOfWeek);
  }

  std::string interval() {
    if (one_in(4)) return "@after " + number(1, 5000) + " seconds";
    if (one_in(2))
      return "@every " + number(0, 30) + "h" + number(1, 90) + "m" + number(0, 99) + "s";
    return number(1, 40) + pick({" seconds", " minutes", " hours", " days", " weeks", " months"});
  }

  enum class Days { kNone, kOfMonth, kOfWeek };

  std::string field(const Field& rule, Days days = Days::kNone) {
    if (days != Days::kNone && one_in(10)) return "?";
    if (one_in(4)) return "*";
    std::string text = item(rule, days);
    while (one_in(3)) text += "," + item(rule, days);
    return text;
  }

  std::string item(const Field& rule, Days days) {
    if (days == Days::kOfMonth && one_in(2))
      return pick({"L", "$", "LW", "L-" + number(1, 30), value(rule) + "W"});
    if (days == Days::kOfWeek && one_in(2))
      return value(rule) + (one_in(2) ? "L" : "#" + number(1, 5));
    const std::string step = one_in(3) ? "/" + number(1, 4) : "";
    switch (between(0, 5)) {
      case 0:
        return "*" + step;
      case 1:
        return "H" + step;
      case 2:
        return value(rule) + "-" + value(rule);
      case 3:
        return std::to_string(rule.low) + "-" + std::to_string(rule.high) + step;
      default:
        return value(rule);
    }
  }

  std::string value(const Field& rule) {
    const int n = between(rule.low, rule.high);
    if (rule.names[0] == '\0' || one_in(2)) return std::to_string(n);
    return std::string(rule.names).substr(static_cast<std::size_t>(n - rule.low) * 3, 3);
  }

  int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool one_in(int n) { return between(1, n) == 1; }
  std::string number(int low, int high) { return std::to_string(between(low, high)); }
  std::string pick(const std::vector<std::string>& items) {
    return items[static_cast<std::size_t>(between(0, static_cast<int>(items.size()) - 1))];
  }

  std::mt19937 random_;
};

}  // namespace metrics_refresh::core::test
