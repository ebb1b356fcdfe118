// What the rules of views name, through plain views, as the catalogs say it without a look at
// definitions. Locks nothing.
#pragma once

#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

struct RuleRead {
  Oid view;
  Oid owner;   // of the view
  Oid object;  // a function, or a relation that is no plain view
};

/// Functions and the functions of operators, but for the server's own.
std::vector<RuleRead> functions_in_rules(pg::Spi& spi, const std::vector<Oid>& views);
std::vector<RuleRead> relations_in_rules(pg::Spi& spi, const std::vector<Oid>& views);

/// All materialized views whose rules name such a function.
std::vector<Oid> views_with_functions(pg::Spi& spi);

/// The relations themselves, and what inherits from them, by name.
std::vector<Oid> with_children(pg::Spi& spi, const std::vector<Oid>& relations);

}  // namespace metrics_refresh::store
