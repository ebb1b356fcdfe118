// The result of a check of health: a problem, its severity, and the action to take.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace metrics_refresh::core {

enum class Severity : std::uint8_t { kOk, kWarning, kCritical };

/// `ok`, `warning` or `critical`.
const char* to_string(Severity severity);

struct Finding {
  std::string check;  // a name from the list in docs/operations.md
  Severity severity;
  std::string detail;  // the observation
  std::string hint;    // the action to take; empty if there is none
};

/// The findings of one check. If it adds none, `fine` becomes the detail of an `ok`.
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

}  // namespace metrics_refresh::core
