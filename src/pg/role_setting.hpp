// Settings that were stored for a role: those that its sessions begin with, and setting one as the
// role itself could.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Names and values.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// Sets `name` with no more rights than `role` has. If the role is a superuser, a setting of
/// another library (`name.name`) is set as by a role without rights. Before the library is loaded,
/// it is not known which roles may set it. Throws PgError.
void set_as(Oid role, const std::string& name, const std::string& value, GucAction action);

/// The settings that a new session of the role in this database gets from ALTER ROLE … SET and
/// ALTER DATABASE … SET. Each name appears once, with its effective value. The privilege to set
/// them was checked when they were stored. REQUIRES: a transaction.
Settings settings_of_role(Oid role);

/// True if both are names of the same setting.
bool is_same_setting(const std::string& one, const std::string& other);

/// All settings that this process knows, in any order. REQUIRES: inside call().
config_generic** all_settings(int* count);

}  // namespace metrics_refresh::pg
