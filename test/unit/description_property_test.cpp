// Randomised: what describe() says is read back, and the schedule that the words mean has the due
// times of the one described.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "unit/read_back.hpp"
#include "unit/schedule_source.hpp"
#include "unit/system_zone.hpp"
#include "unit/utc.hpp"

namespace metrics_refresh::core::test {
namespace {

constexpr std::string_view kJob = "a job";
const Instant kFirst = utc("1975-01-01 00:00");
const Instant kServerStart = utc("2036-06-01 00:00");

// Around each of some transitions, and at any time.
std::vector<Instant> moments(const FakeZone& zone, std::mt19937& random) {
  std::uniform_int_distribution<std::int64_t> any(kFirst.time_since_epoch().count(),
                                                  kServerStart.time_since_epoch().count());
  std::vector<Instant> result;
  for (int i = 0; i < 3; ++i) {
    const Instant t{Duration{any(random)}};
    result.push_back(t);
    const auto transition = zone.period_at(t).begin;
    if (transition > kFirst) result.push_back(transition - std::chrono::hours{26});
  }
  return result;
}

void expect_same(const Schedule& schedule, const FakeZone& zone, std::mt19937& random) {
  const ReadBack read(schedule, kServerStart);
  for (Instant t : moments(zone, random)) {
    const Instant last_end = t - std::chrono::hours{1};
    for (int i = 0; i < 4; ++i) {
      const auto due = schedule.next_after(t, zone, last_end);
      const auto described = read.next_after(t, zone, last_end);
      ASSERT_TRUE(due == described)
          << "after " << text_of(t) << ": " << text_of(due) << ", not " << text_of(described);
      if (!due) break;
      t = i == 2 ? *due + std::chrono::hours{25} : *due;
    }
  }
}

std::optional<Schedule> parsed(const std::string& text) {
  try {
    return Schedule::parse(text, {kJob, kServerStart});
  } catch (const ScheduleError&) {
    return std::nullopt;
  }
}

TEST(DescriptionProperty, IsReadBack) {
  const std::vector<FakeZone> zones = {
      system_zone("UTC"), system_zone("Europe/Berlin"), system_zone("America/Havana"),
      system_zone("Australia/Lord_Howe"), system_zone("Pacific/Apia")};
  ScheduleSource source(1066);
  std::mt19937 random(1815);
  std::size_t tried = 0;
  for (int read = 0; read < 20'000 && !HasFailure(); ++tried) {
    const std::string text = source.next();
    const std::optional<Schedule> schedule = parsed(text);
    if (!schedule) continue;
    SCOPED_TRACE(text + ": " + describe(*schedule));
    ASSERT_NO_THROW(expect_same(*schedule, zones[tried % zones.size()], random));
    ++read;
  }
  EXPECT_LT(tried, 30'000U) << "most texts are refused";
}

}  // namespace
}  // namespace metrics_refresh::core::test
