// A scheduler on one virtual day, 2024-05-15 in UTC. Times and actions are text, so that a test
// reads like a timetable. Each tick is repeated at once without events: that must change nothing.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/scheduler/scheduler.hpp"
#include "unit/fake_zone.hpp"
#include "unit/utc.hpp"

namespace metrics_refresh::core::test {

using Actions = std::vector<std::string>;

inline const FakeZone kUtc(std::chrono::seconds{0});

/// "10:05", "10:05:00.250", or another day's time with its date.
inline Instant moment(const std::string& time) {
  return utc(time.find(' ') == std::string::npos ? "2024-05-15 " + time : time);
}

inline std::string brief(std::optional<Instant> t) {
  const std::string text = text_of(t);
  return text.rfind("2024-05-15 ", 0) == 0 ? text.substr(11) : text;
}

/// "start 1 due 10:05", "start 1 due 10:03 run 70", "start 1 due 10:05 attempt 2", "missed 1 due
/// 10:05", and of member 3 of group 1 "start 1.3 due 10:05 run 70".
inline std::string text_of(const Action& action) {
  if (const auto* missed = std::get_if<Missed>(&action))
    return "missed " + std::to_string(missed->job) + " due " + brief(missed->due);
  const Start& start = std::get<Start>(action);
  return "start " + std::to_string(start.job) +
         (start.member ? "." + std::to_string(*start.member) : "") + " due " + brief(start.due) +
         (start.run ? " run " + std::to_string(*start.run) : "") +
         (start.attempt > 1 ? " attempt " + std::to_string(start.attempt) : "");
}

/// A job that has no due time up to `handled` left; an empty schedule is none.
inline Job job(JobId id, const std::string& schedule, const std::string& handled = "10:00") {
  Job result;
  result.id = id;
  if (!schedule.empty()) result.timetable = Timetable{Schedule::parse(schedule), &kUtc, {}, {}, {}};
  result.handled_until = moment(handled);
  return result;
}

inline Job paused(Job job) {
  job.runnable = false;
  return job;
}

inline Job skipping(Job job) {
  job.on_missed = OnMissed::kSkip;
  return job;
}

class VirtualDay {
 public:
  Actions at(const std::string& time, const std::vector<Event>& events = {}) {
    return tick(moment(time), events);
  }

  Actions tick(Instant now, const std::vector<Event>& events = {}) {
    const Plan plan = scheduler.tick(now, events, limits);
    wake_up_ = plan.wake_up;
    EXPECT_TRUE(!wake_up_ || *wake_up_ > now) << "busy loop at " << brief(now);
    Limits rest = limits;
    for (const Action& action : plan.actions)
      if (std::holds_alternative<Start>(action)) --rest.free_workers;
    const Plan again = scheduler.tick(now, {}, rest);
    EXPECT_TRUE(again.actions.empty()) << text_of(again.actions.front()) << " at " << brief(now);
    EXPECT_EQ(brief(again.wake_up), brief(wake_up_));
    Actions actions;
    for (const Action& action : plan.actions) actions.push_back(text_of(action));
    return actions;
  }

  /// What waits for a worker, in its order, at most `most`.
  Actions waiting(std::size_t most = 100) const {
    Actions result;
    for (const Start& start : scheduler.waiting(most)) result.push_back(text_of(Action{start}));
    return result;
  }

  std::string wake_up() const { return brief(wake_up_); }

  Scheduler scheduler;
  Limits limits;

 private:
  std::optional<Instant> wake_up_;
};

}  // namespace metrics_refresh::core::test
