// Promises of core::queue::ReadyWork that hold in any order of steps, from fixed seeds.

#include <gtest/gtest.h>

#include <string>

#include "unit/queue_storm.hpp"

namespace metrics_refresh::core::queue::test {
namespace {

TEST(QueueReadyWorkProperty, LosesNoJobAndKeepsItsLimits) {
  int ran = 0, reads = 0, rereads = 0, stolen = 0, deaths = 0, met = 0, outside = 0;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm(seed);
    storm.rage(3000);
    storm.drain();
    if (HasFailure()) return;
    ran += storm.ran;
    reads += storm.reads;
    rereads += storm.rereads;
    stolen += storm.stolen;
    deaths += storm.deaths;
    met += storm.met;
    outside += storm.outside;
  }
  EXPECT_GT(ran, 25'000);
  EXPECT_GT(reads, 2250);
  EXPECT_GT(rereads, 250);
  EXPECT_GT(stolen, 250);
  EXPECT_GT(deaths, 2250);
  EXPECT_GT(met, 50);
  EXPECT_GT(outside, 500);
}

}  // namespace
}  // namespace metrics_refresh::core::queue::test
