// Functions that were written by hand, replaced by thin ones that give the same from what is known
// here.
#pragma once

#include <string>
#include <vector>

#include "api/adoption/adoption.hpp"
#include "store/adoption/thin_functions.hpp"

namespace metrics_refresh::api {

/// The functions of these names in the schema. Throws SqlError 42501 for one that the caller has no
/// rights of the owner of.
std::vector<store::OldFunction> find_functions(Oid schema, const std::vector<store::Thin>& thin);

/// Adds the steps for them. `make_missing` makes those that are not there in their usual shape, for
/// the caller. A function is replaced as its owner; it is in the way unless he is trusted or one of
/// `owners`, to whom the installation belongs.
void adopt_functions(Adoption& adoption, const std::string& schema,
                     const std::vector<store::OldFunction>& functions,
                     const std::vector<store::Thin>& thin, bool make_missing,
                     const std::vector<Oid>& owners);

}  // namespace metrics_refresh::api
