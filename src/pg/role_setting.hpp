// Settings that somebody else wrote down for a role: what its sessions begin with, and one that is
// set as the role itself could set it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Names and values.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// Sets `name` with no more rights than `role` has. A setting of a library's (`name.name`) is set
/// as one without rights sets it where the role is a superuser: before the library is loaded,
/// nobody can tell what the setting means, nor who may set it. Throws PgError.
void set_as(Oid role, const std::string& name, const std::string& value, GucAction action);

/// What ALTER ROLE … SET and ALTER DATABASE … SET give a new session of the role in this database,
/// each name once, with the value that counts there. Who may write them down was asked then.
/// REQUIRES: a transaction.
Settings settings_of_role(Oid role);

/// True where the two name the same setting.
bool is_same_setting(const std::string& one, const std::string& other);

/// All settings that the process knows, sorted or not. REQUIRES: inside call().
config_generic** all_settings(int* count);

}  // namespace metrics_refresh::pg
