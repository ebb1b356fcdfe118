// Measures Schedule::parse() and Schedule::next_after(). See bench/schedules.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "core/schedule/schedule.hpp"
#include "unit/system_zone.hpp"

namespace metrics_refresh::core {
namespace {

using Clock = std::chrono::steady_clock;

const std::vector<std::string> kOrdinary = {"* * * * *",
                                            "*/5 * * * *",
                                            "30 2 * * *",
                                            "0 9-17 * * mon-fri",
                                            "0 0 1,15 * *",
                                            "@hourly",
                                            "@daily",
                                            "15 minutes",
                                            "90 seconds",
                                            "0 22-2/2 * * *",
                                            "H H(0-7) * * *",
                                            "@every 1h30m",
                                            "0 0 L * *",
                                            "@weekly",
                                            "@seconds 0 30 * * * *"};
const std::vector<std::string> kWorst = {
    "0 0 29 2 *",  "*/5 * 29 2 *", "0 0 ? 2 mon#5",   "0 0 */28 2 mon#5",           "0 0 ? 12 friL",
    "0 0 31W 3 ?", "0 0 L 2 *",    "0 0 */30 12 sun", "@seconds * * * */28 2 mon#5"};

std::vector<Instant> moments(int count) {
  std::mt19937_64 random(1);
  const std::int64_t begin = 1'600'000'000'000'000;
  std::vector<Instant> result;
  for (int i = 0; i < count; ++i)
    result.emplace_back(
        Duration{begin + static_cast<std::int64_t>(random() % 400'000'000'000'000)});
  return result;
}

// Nanoseconds a call, in batches of ten different moments; sorted.
std::vector<double> next_after_times(const std::string& text, const TimeZone& zone) {
  constexpr int kBatch = 10;
  constexpr int kBatches = 2000;
  const Schedule schedule = Schedule::parse(text, {"a job", std::nullopt});
  const std::vector<Instant> after = moments(kBatch * kBatches);
  std::vector<double> times;
  std::int64_t sum = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    const auto begin = Clock::now();
    for (int i = 0; i < kBatch; ++i) {
      const auto due =
          schedule.next_after(after[static_cast<std::size_t>(batch * kBatch + i)], zone);
      sum += due->time_since_epoch().count() & 1;
    }
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
    times.push_back(took.count() / kBatch);
  }
  if (sum < 0) std::puts("");
  std::sort(times.begin(), times.end());
  return times;
}

double parses_per_second(const std::vector<std::string>& texts) {
  std::vector<double> rates;
  for (int round = 0; round < 9; ++round) {
    constexpr int kRepeats = 5000;
    std::size_t rules = 0;
    const auto begin = Clock::now();
    for (int i = 0; i < kRepeats; ++i)
      for (const std::string& text : texts)
        rules += Schedule::parse(text, {"a job", std::nullopt}).size();
    const std::chrono::duration<double> took = Clock::now() - begin;
    rates.push_back(static_cast<double>(rules) / took.count());
  }
  std::sort(rates.begin(), rates.end());
  return rates[rates.size() / 2];
}

void report(const char* what, const std::vector<std::string>& texts, double target) {
  std::printf("%s, Europe/Berlin, median and 99th percentile (target %g us):\n", what,
              target / 1000);
  const test::FakeZone berlin = test::system_zone("Europe/Berlin");
  std::vector<double> medians;
  for (const std::string& text : texts) {
    const std::vector<double> times = next_after_times(text, berlin);
    medians.push_back(times[times.size() / 2]);
    std::printf("  %-32s %7.3f us  %7.3f us  %5.2f of the target\n", text.c_str(),
                medians.back() / 1000, times[times.size() * 99 / 100] / 1000,
                medians.back() / target);
  }
  std::sort(medians.begin(), medians.end());
  std::printf("  median of these %.3f us, most %.3f us\n", medians[medians.size() / 2] / 1000,
              medians.back() / 1000);
}

}  // namespace
}  // namespace metrics_refresh::core

int main() {
  namespace core = metrics_refresh::core;
  const double ordinary = core::parses_per_second(core::kOrdinary);
  const double worst = core::parses_per_second(core::kWorst);
  std::printf("parsed a second: %.0f ordinary (%.1f times the target), %.0f rare (%.1f times)\n",
              ordinary, ordinary / 500'000, worst, worst / 500'000);
  core::report("next due time of ordinary schedules", core::kOrdinary, 1000);
  core::report("next due time of the worst", core::kWorst, 50'000);
}
