// Replaces hand-written functions by functions with the same interface that return the data of the
// extension.
#pragma once

#include <string>
#include <vector>

#include "api/adoption/adoption.hpp"
#include "store/adoption/thin_functions.hpp"

namespace metrics_refresh::api {

/// The functions with these names in the schema. Throws SqlError 42501 if the caller does not have
/// the rights of the owner of one of them.
std::vector<store::OldFunction> find_functions(Oid schema, const std::vector<store::Thin>& thin);

/// Adds the steps for these functions. `make_missing` creates the missing ones in their usual form,
/// owned by the caller. An existing function is replaced as its owner. It is in the way unless its
/// owner is trusted or among `owners`, to whom the installation belongs.
void adopt_functions(Adoption& adoption, const std::string& schema,
                     const std::vector<store::OldFunction>& functions,
                     const std::vector<store::Thin>& thin, bool make_missing,
                     const std::vector<Oid>& owners);

}  // namespace metrics_refresh::api
