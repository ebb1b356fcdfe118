// The schedule that somebody has in mind who knows the description of another alone.
#pragma once

#include <optional>
#include <vector>

#include "core/schedule/schedule.hpp"
#include "core/schedule/schedule_description.hpp"
#include "unit/description_reader.hpp"

namespace metrics_refresh::core::test {

class ReadBack {
 public:
  ReadBack(const Schedule& schedule, Instant server_start) {
    for (const std::string& text : DescriptionReader::read(describe(schedule)))
      rules_.push_back(Schedule::parse(text, {"another job", server_start}));
  }

  std::optional<Instant> next_after(Instant after, const TimeZone& zone, Instant last_end) const {
    std::optional<Instant> first;
    for (const Schedule& rule : rules_) {
      const std::optional<Instant> due = rule.next_after(after, zone, last_end);
      if (due && (!first || *due < *first)) first = due;
    }
    return first;
  }

 private:
  std::vector<Schedule> rules_;
};

}  // namespace metrics_refresh::core::test
