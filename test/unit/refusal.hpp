// That a schedule is refused, and with which words.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/schedule/schedule.hpp"

namespace metrics_refresh::core::test {

struct Refusal {
  std::string text;
  std::string message;
  std::size_t position;
  std::string hint;  // a part of it
};

inline void expect_refusal(const Refusal& refusal) {
  try {
    Schedule::parse(refusal.text);
    ADD_FAILURE() << "accepted " << refusal.text;
  } catch (const ScheduleError& error) {
    EXPECT_EQ(error.what(), refusal.message) << refusal.text;
    EXPECT_EQ(error.position(), refusal.position) << refusal.text;
    EXPECT_NE(error.hint().find(refusal.hint), std::string::npos)
        << refusal.text << ": " << error.hint();
    EXPECT_EQ(error.hint().back(), '.') << error.hint();
  }
}

}  // namespace metrics_refresh::core::test
