// The one rule for the settings of a refresh: it runs with those that a new session of the view's
// owner in this database would have, whoever starts it, and with its job's own. Else a view would
// hold other rows with each caller. Only what bounds or reports the work is the caller's.
#pragma once

#include <string>

#include "pg/role_setting.hpp"

namespace metrics_refresh::engine {

/// What the setting named `name` is in a new session of the role; empty where nobody knows.
std::string setting_of(Oid role, const std::string& name);

/// What two roles' new sessions would have that a refresh goes by.
struct SettingDifference {
  std::string name;
  std::string roles;
  std::string owners;
};
std::vector<SettingDifference> different_settings(Oid role, Oid owner);

namespace detail {
/// What the session had of the settings that are the owner's for a while.
class Overridden {
 public:
  Overridden() noexcept;
  ~Overridden();
  Overridden(const Overridden&) = delete;
  Overridden& operator=(const Overridden&) = delete;

  pg::Settings values;

 private:
  Overridden* const outer_;
};

/// Sets them, and the job's, which no more rights set than the owner has. Returns the nest level.
int begin_settings_of(Oid owner, const pg::Settings& of_job, pg::Settings& overridden);
int begin_settings_of_session();
}  // namespace detail

/// Runs `body` with the settings of `owner`, and with those of `of_job`, as a worker sets them.
/// REQUIRES: a session that is not a worker's, which has them from its beginning.
template <typename Body>
void with_settings_of(Oid owner, const pg::Settings& of_job, Body&& body) {
  detail::Overridden overridden;
  const int level = detail::begin_settings_of(owner, of_job, overridden.values);
  body();
  pg::call([level] { AtEOXact_GUC(false, level); });
}

/// Within with_settings_of(): runs `body`, which is no code of the view's, with the settings that
/// the session had before. Elsewhere with those that it has.
template <typename Body>
void with_settings_of_session(Body&& body) {
  const int level = detail::begin_settings_of_session();
  body();
  pg::call([level] { AtEOXact_GUC(false, level); });
}

}  // namespace metrics_refresh::engine
