// Reads lines `schedule TAB zone TAB seconds since 1970` and answers each with the next three due
// times after that, in seconds, or with `error` and the message. For test/real/schedules/run.

#include <cstdio>
#include <iostream>
#include <map>
#include <string>

#include "core/schedule/schedule.hpp"
#include "unit/system_zone.hpp"

namespace metrics_refresh::core {
namespace {

std::string answer(const std::string& line) {
  static std::map<std::string, test::FakeZone> zones;
  const std::size_t first = line.find('\t');
  const std::size_t second = line.find('\t', first + 1);
  const std::string name = line.substr(first + 1, second - first - 1);
  auto zone = zones.find(name);
  if (zone == zones.end()) zone = zones.emplace(name, test::system_zone(name)).first;
  try {
    const Schedule schedule = Schedule::parse(line.substr(0, first));
    Instant after{std::chrono::seconds{std::stoll(line.substr(second + 1))}};
    std::string result;
    for (int i = 0; i < 3; ++i) {
      const auto due = schedule.next_after(after, zone->second);
      if (!due) break;
      after = *due;
      result += (i > 0 ? " " : "") + std::to_string(due->time_since_epoch().count() / 1'000'000);
    }
    return result;
  } catch (const ScheduleError& error) {
    return std::string("error ") + error.what();
  }
}

}  // namespace
}  // namespace metrics_refresh::core

int main() {
  std::string line;
  while (std::getline(std::cin, line))
    std::printf("%s\n", metrics_refresh::core::answer(line).c_str());
}
