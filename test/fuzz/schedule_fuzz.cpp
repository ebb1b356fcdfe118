// What must hold for every text, whatever its bytes: it is refused with an error that points into
// it and says what is allowed, or it is accepted and due: later than asked for, at no other time
// before, and when its description says. The input is the text of a schedule. Run by libFuzzer
// (make fuzz) and over the corpus by the unit tests.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "core/schedule/schedule.hpp"
#include "unit/fake_zone.hpp"
#include "unit/read_back.hpp"

namespace metrics_refresh::core::test {
namespace {

void require(bool holds, const char* what, const std::string& text) {
  if (holds) return;
  std::fprintf(stderr, "%s: [%s]\n", what, text.c_str());
  std::abort();
}

// Half an hour forward in each spring, back in each autumn, from 1970 on.
FakeZone seasonal_zone() {
  std::vector<FakeZone::Transition> transitions;
  for (int year = 0; year < 120; ++year) {
    const Instant january{std::chrono::hours{24 * 365 * year}};
    transitions.push_back({january + std::chrono::hours{2000}, std::chrono::minutes{90}});
    transitions.push_back({january + std::chrono::hours{7000}, std::chrono::minutes{60}});
  }
  return FakeZone(std::chrono::minutes{60}, transitions);
}

void check_due_times(const Schedule& schedule, const ReadBack& read, const std::string& text,
                     Instant from, const TimeZone& zone) {
  Instant after = from;
  for (int i = 0; i < 3; ++i) {
    const std::optional<Instant> due = schedule.next_after(after, zone, from);
    require(due.has_value(), "accepted and never due", text);
    require(*due > after, "due in the past", text);
    require(read.next_after(after, zone, from) == due, "due at another time than described", text);
    const Instant before = *due - Duration{1};
    require(schedule.next_after(before, zone, from) == due, "not due when it is", text);
    const Instant between = after + (*due - after) / 2;
    require(schedule.next_after(between, zone, from) == due, "due at two times at once", text);
    after = *due;
  }
}

std::optional<Schedule> parsed(const std::string& text, Instant server_start) {
  try {
    return Schedule::parse(text, {"a job", server_start});
  } catch (const ScheduleError& error) {
    require(error.position() >= 1 && error.position() <= text.size() + 1, "points elsewhere", text);
    require(error.what()[0] != '\0' && error.what()[0] != ' ', "no message", text);
    require(!error.hint().empty() && error.hint().back() == '.', "no hint", text);
    return std::nullopt;
  }
}

void check(const std::string& text) {
  static const FakeZone utc(std::chrono::seconds{0});
  static const FakeZone seasonal = seasonal_zone();
  const Instant from{std::chrono::hours{24 * 365 * 55}};
  const Instant start{std::chrono::hours{24 * 365 * 100}};
  const std::optional<Schedule> schedule = parsed(text, start);
  if (!schedule) return;
  const ReadBack read(*schedule, start);
  if (schedule->is_due_at_server_start()) return;
  check_due_times(*schedule, read, text, from, utc);
  check_due_times(*schedule, read, text, from, seasonal);
}

}  // namespace
}  // namespace metrics_refresh::core::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  metrics_refresh::core::test::check(std::string(data, data + size));
  return 0;
}
