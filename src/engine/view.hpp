// A materialized view as the engine needs to know it, read from the catalogs.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::engine {

struct View {
  Oid oid;
  std::string schema;
  std::string name;
  Oid owner;
  bool populated;
  std::string unique_index;  // one that CONCURRENTLY accepts; empty where there is none
};

/// `schema.name`, each part quoted where SQL needs it.
std::string qualified_name(const std::string& schema, const std::string& name);

/// Throws SqlError 42P01 where no such relation exists and 42809 where it is no materialized view.
View read_view(Oid oid);

/// The materialized view that a late-bound name means now, or InvalidOid. A view of that name wins;
/// else the view with the remembered oid, which was renamed or moved to another schema.
Oid resolve_view(const std::string& schema, const std::string& name, Oid remembered);

/// The owner of a relation, or InvalidOid where it does not exist.
Oid relation_owner(Oid oid);

}  // namespace metrics_refresh::engine
