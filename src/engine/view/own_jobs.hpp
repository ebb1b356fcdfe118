// The settings of a view's own jobs, that is, of jobs that refresh only this view. A refresh on
// demand uses them, so that the view has the same rows as after a run of its job. The settings of a
// group apply only to the runs of the group.
#pragma once

#include "engine/view/view.hpp"
#include "pg/role_setting.hpp"

namespace metrics_refresh::engine {

struct OwnSettings {
  /// Empty if there is no such job, or if they `differ`.
  pg::Settings settings;
  /// The view has several such jobs with different settings.
  bool differ = false;
};

/// The settings of the jobs of the view's owner. If there is none, of the jobs of other roles that
/// may refresh it. Keeps no lock.
OwnSettings settings_of_own_jobs(const View& view);

}  // namespace metrics_refresh::engine
