// The values of settings that come from configuration files, the command line and defaults, and not
// from a role, a database or a client. A session in which a role or client has set another value
// cannot see them. The launcher, which has neither role nor database, publishes them here.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::shmem {

Size server_settings_size();
/// REQUIRES: called in the server's startup hook, with that much memory.
void init_server_settings(char* memory, bool found);

/// Publishes the settings that a session may change. REQUIRES: called by the launcher, at its start
/// and after each reload.
void publish_server_settings();

/// A copy of the published values.
class ServerSettings {
 public:
  /// The copy is empty if the library was not preloaded or no launcher has run yet.
  ServerSettings();
  /// The value, or nothing if it is not known. Names are compared like the server does.
  std::optional<std::string> find(const std::string& name) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace metrics_refresh::shmem
