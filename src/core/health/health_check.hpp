// What the checks of health.hpp have in common: how a finding is added and how its text is put.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <utility>
#include <vector>

#include "core/health/health.hpp"

namespace metrics_refresh::core {

/// The findings of one check; where it added none, `fine` becomes its `ok`.
class Check {
 public:
  Check(std::vector<Finding>& findings, const char* name, std::string fine)
      : findings_(findings), name_(name), fine_(std::move(fine)), before_(findings.size()) {}
  void add(Severity severity, std::string detail, std::string hint) {
    findings_.push_back({name_, severity, std::move(detail), std::move(hint)});
  }
  void close() {
    if (findings_.size() == before_) add(Severity::kOk, fine_, "");
  }

 private:
  std::vector<Finding>& findings_;
  const char* name_;
  std::string fine_;
  std::size_t before_;
};

/// A span of time, in the unit that suits it.
std::string span(Duration d);

/// A value as SQL writes it, for hints that are meant to be copied.
std::string literal(const std::string& value);

/// The job in a call that a hint proposes: its name, or its number if others use the name.
std::string argument(const JobFacts& job);

/// The checks of what is known of changed and of wrong rows, for check_jobs().
void check_rows(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs);

/// The checks of jobs, for check_health().
void check_jobs(std::vector<Finding>& findings, Instant now, const std::vector<JobFacts>& jobs,
                const HealthLimits& limits);

}  // namespace metrics_refresh::core
