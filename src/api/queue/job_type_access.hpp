// Finds job types for callers, and decides who may change them. The rule is the one that row-level
// security applies to reading; here it is for functions that write.
#pragma once

#include <string>

#include "store/queue/job_types.hpp"

namespace metrics_refresh::api {

/// The owner of the type, the members of that role, and super admins.
bool may_manage(const store::queue::JobType& type);

/// Throws SqlError 42501 unless the caller has the rights of the role. `use` says why they are
/// needed.
void require_rights_for_type(Oid role, const char* use);

/// The type. Throws SqlError 42704 if there is none, and 42501 if the caller may not manage it.
store::queue::JobType managed_type(const std::string& name);

/// The type, locked until the transaction ends, so that the caller's checks stay valid. Nothing if
/// there is none. Throws SqlError 42501, before any lock is taken, if the caller may not manage it.
std::optional<store::queue::JobType> find_and_lock_type(const std::string& name);

/// The same. Throws SqlError 42704 if there is no such type.
store::queue::JobType locked_type(const std::string& name);

[[noreturn]] void refuse_missing_type(const std::string& name);
/// Raises a notice with the same text, for functions that accept a missing type.
void report_missing_type(const std::string& name);

/// Throws SqlError 42883 if the type needs a handler and `function` is none.
void require_handler(const store::queue::JobType& type, Oid function);

/// Call it after a type was written that was not of this owner before. Throws SqlError 53400 if the
/// owner has more than a quarter of the types that shared memory has room for. Jobs of a type
/// without an entry there do not start.
void check_share_of_types(Oid owner);

/// In bytes, as in the CHECK constraint of the table.
inline constexpr std::size_t kLongestTypeName = 200;
/// Throws SqlError 22023 for an empty name, and 54000 for one that is too long.
void check_type_name(const std::string& name);

/// The options of a function as columns for its handler. Throws SqlError 42883 if there is no such
/// function, 42P13 if it has not the form of a handler, and 42501 if `owner` may not execute it.
store::Columns handler_columns(Oid function, Oid owner);

}  // namespace metrics_refresh::api
