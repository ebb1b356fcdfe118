// The settings as the server itself has them: by its files, its command line and its defaults, and
// by no role, database or client. A session that its role or its client gave another value does not
// know them any more; the launcher, which has neither role nor database, tells them here.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::shmem {

Size server_settings_size();
/// REQUIRES: called in the server's startup hook, with that much memory.
void init_server_settings(char* memory, bool found);

/// Writes down those that a session may change. REQUIRES: the launcher, at its start and after each
/// reload.
void publish_server_settings();

/// The values, by names in whatever case; a copy of what was published last.
class ServerSettings {
 public:
  /// Knows nothing where the library was not preloaded or no launcher has been there yet.
  ServerSettings();
  /// Nothing where it is not known.
  std::optional<std::string> find(const std::string& name) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace metrics_refresh::shmem
