// The rule for the settings of a refresh. It runs with the settings that a new session of the
// view's owner in this database would have, and with those of its job. The caller does not matter.
// Otherwise the rows of a view would depend on the caller. Only settings that limit or report the
// work are the caller's.
#pragma once

#include <string>

#include "pg/role_setting.hpp"

namespace metrics_refresh::engine {

/// The value of the setting in a new session of the role; empty if it is not known.
std::string setting_of(Oid role, const std::string& name);

/// A setting that affects refreshes and differs between new sessions of two roles.
struct SettingDifference {
  std::string name;
  std::string roles;
  std::string owners;
};
std::vector<SettingDifference> different_settings(Oid role, Oid owner);

namespace detail {
/// The session's values of the settings that have the owner's value for some time.
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

/// Sets the settings of the owner and those of the job. The latter are set with the rights of the
/// owner. Returns the nest level.
int begin_settings_of(Oid owner, const pg::Settings& of_job, pg::Settings& overridden);
int begin_settings_of_session();
}  // namespace detail

/// Runs `body` with the settings of `owner` and those in `of_job`, as a worker sets them. REQUIRES:
/// not a worker's session, which has these settings from its beginning.
template <typename Body>
void with_settings_of(Oid owner, const pg::Settings& of_job, Body&& body) {
  detail::Overridden overridden;
  const int level = detail::begin_settings_of(owner, of_job, overridden.values);
  body();
  pg::call([level] { AtEOXact_GUC(false, level); });
}

/// Runs `body`, which is not code of the view, with the settings that the session had before
/// with_settings_of(). Outside of it, the settings stay as they are.
template <typename Body>
void with_settings_of_session(Body&& body) {
  const int level = detail::begin_settings_of_session();
  body();
  pg::call([level] { AtEOXact_GUC(false, level); });
}

}  // namespace metrics_refresh::engine
