// Health of groups: their views one by one, beside the group itself.

#include <gtest/gtest.h>

#include "core/health/health.hpp"
#include "unit/health_fixture.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;

class HealthOfGroups : public Health {
 protected:
  HealthOfGroups() {
    job.name = "analytics";
    job.is_group = true;
    job.views.resize(3);
    for (std::size_t i = 0; i < job.views.size(); ++i)
      job.views[i].name = "a." + std::string(1, static_cast<char>('x' + i));
  }
};

TEST_F(HealthOfGroups, EachViewThatIsMissingIsNamedAndTheGroupMayBeStaleBesides) {
  job.views[1].exists = job.views[1].populated = false;
  job.views[1].due_since_success = 1000;  // of what does not exist nothing more is said
  expect_text("view_missing",
              "group analytics lists the materialized view a.y, which does not exist",
              "schedule_group()");
  job.views[1].exists = job.views[1].populated = true;
  job.views[1].due_since_success = 0;
  job.due_since_success = 2;
  EXPECT_EQ(severity("freshness"), "warning");
}

TEST_F(HealthOfGroups, EachViewHasFindingsOfItsOwn) {
  job.views[0].wants_unique_index = job.views[2].wants_unique_index = true;
  job.views[2].index_to_create = "CREATE UNIQUE INDEX ON a.z (id);";
  const std::vector<Finding> found = findings("unique_index");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].detail.find("a.x "), 0U);
  EXPECT_EQ(found[1].hint,
            "Run: CREATE UNIQUE INDEX ON a.z (id); Or refresh it by the strategy diff.");
  job.views[0].wants_unique_index = job.views[2].wants_unique_index = false;
  job.views[1].populated = false;
  expect_text("populated", "a.y has never been populated", "trigger('analytics')");
}

TEST_F(HealthOfGroups, StaleViewsAreNamedWithTheirRows) {
  job.views[0].due_since_success = 2;
  job.views[0].last_success = now - hours{5};
  job.views[0].rows = 1200;
  job.views[1].due_since_success = 3;
  job.views[1].last_error = "division by zero";
  job.views[2].due_since_success = 1;
  const std::vector<Finding> found = findings("freshness");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].severity, Severity::kWarning);
  EXPECT_EQ(
      found[0].detail,
      "a.x of group analytics was last refreshed 5 h ago (1200 rows); it was due 2 times since");
  EXPECT_EQ(found[1].severity, Severity::kCritical);
  EXPECT_EQ(found[1].detail,
            "a.y of group analytics has never been refreshed; it was due 3 times or more since");
  EXPECT_EQ(found[1].hint, "The last error was: division by zero");
}

TEST_F(HealthOfGroups, AGroupThatIsStaleComesBeforeItsViews) {
  job.due_since_success = 3;
  job.views[0].due_since_success = 3;
  job.views[0].last_success = now - hours{1};
  job.views[0].rows = 1;
  const std::vector<Finding> found = findings("freshness");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].detail,
            "group analytics has never succeeded; it was due 3 times or more since");
  EXPECT_NE(found[1].detail.find("60 min ago (1 row);"), std::string::npos) << found[1].detail;
}

TEST_F(HealthOfGroups, OfASuspendedGroupNothingIsStale) {
  job.suspended = "reason";
  job.due_since_success = job.views[0].due_since_success = 1000;
  EXPECT_EQ(severity("suspended"), "critical");
}

TEST_F(HealthOfGroups, CommandsHaveNoViews) {
  job.is_group = false;
  job.views.clear();
  job.due_since_success = 2;
  EXPECT_EQ(severity("freshness"), "warning");
}

}  // namespace
}  // namespace metrics_refresh::core::test
