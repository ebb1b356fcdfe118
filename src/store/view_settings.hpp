// The settings of jobs that refresh one view alone.
#pragma once

#include "pg/role_setting.hpp"
#include "pg/spi.hpp"
#include "store/bound_view.hpp"

namespace metrics_refresh::store {

struct JobSettings {
  BoundView view;
  pg::Settings settings;
};

/// Of the jobs that may mean this view: by name, or by identity. Not of those for one run.
std::vector<JobSettings> settings_of_jobs(pg::Spi& spi, const std::string& schema,
                                          const std::string& name, Oid view);

}  // namespace metrics_refresh::store
