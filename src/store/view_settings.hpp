// The settings of jobs that refresh a single view.
#pragma once

#include "pg/role_setting.hpp"
#include "pg/spi.hpp"
#include "store/bound_view.hpp"

namespace metrics_refresh::store {

struct JobSettings {
  BoundView view;
  pg::Settings settings;
};

/// The settings of jobs that may refer to this view, by name or by oid. Jobs made for one run are
/// left out.
std::vector<JobSettings> settings_of_jobs(pg::Spi& spi, const std::string& schema,
                                          const std::string& name, Oid view);

}  // namespace metrics_refresh::store
