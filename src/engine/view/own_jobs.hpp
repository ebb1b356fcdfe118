// The settings of a view's own jobs, which are those that refresh it alone: a refresh that somebody
// asks for runs with them, so that the view holds the same rows as after its job. A group's
// settings are for the runs of the group.
#pragma once

#include "engine/view/view.hpp"
#include "pg/role_setting.hpp"

namespace metrics_refresh::engine {

struct OwnSettings {
  /// Empty where there is no such job, or where they `differ`.
  pg::Settings settings;
  /// The view has several such jobs, and not all have the same.
  bool differ = false;
};

/// Of jobs of the view's owner; where he has none, of others who may refresh it. Keeps no lock.
/// REQUIRES: a transaction.
OwnSettings settings_of_own_jobs(const View& view);

}  // namespace metrics_refresh::engine
