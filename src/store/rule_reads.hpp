// The objects that the rules of views refer to, also through plain views, according to the
// catalogs. Definitions are not examined. Takes no locks.
#pragma once

#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

struct RuleRead {
  Oid view;
  Oid owner;   // owner of the view
  Oid object;  // a function, or a relation that is not a plain view
};

/// Functions, and functions of operators. Those of the server are left out.
std::vector<RuleRead> functions_in_rules(pg::Spi& spi, const std::vector<Oid>& views);
std::vector<RuleRead> relations_in_rules(pg::Spi& spi, const std::vector<Oid>& views);

/// All materialized views whose rules refer to such a function.
std::vector<Oid> views_with_functions(pg::Spi& spi);

/// The relations and their inheritance children, by name.
std::vector<Oid> with_children(pg::Spi& spi, const std::vector<Oid>& relations);

}  // namespace metrics_refresh::store
