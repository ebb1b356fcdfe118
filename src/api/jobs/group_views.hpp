// Sets of materialized views as callers specify them for a group, and the role on whose behalf they
// are refreshed.
#pragma once

#include <string>
#include <vector>

#include "engine/view/view.hpp"
#include "store/job_members.hpp"

namespace metrics_refresh::api {

struct GroupView {
  engine::View view;
  bool populated;
};

/// Throws SqlError 42809 if an element is no materialized view, 22023 if the list is empty or has a
/// view twice, and 22004 if it contains NULL.
std::vector<GroupView> listed_views(Datum regclass_array);

/// All materialized views of the schema, by name. Throws SqlError 3F000 if the schema does not
/// exist.
std::vector<GroupView> views_of_schema(const std::string& schema);

/// For a schema without views. Throws SqlError 42501 unless the caller owns the schema or is a
/// super admin: the rights over views that are created later are not known yet.
void require_rights_over_schema(const std::string& schema);

/// All materialized views that read the relation, directly or through other views, by name. For a
/// partition or an inheritance child, this includes the views that read its parents. Throws
/// SqlError 42P01 if the relation does not exist, and 42809 if no view can read it.
std::vector<GroupView> dependents_of(Oid relation);

bool may_refresh_all(Oid role, const std::vector<GroupView>& views);

/// The role on whose behalf the caller refreshes all these views. That is the caller, if its rights
/// are sufficient; for a super admin, otherwise the owner of one of the views with sufficient
/// rights. Throws SqlError 42501 if there is no such role.
Oid group_refresher(const std::vector<GroupView>& views);

std::vector<store::ViewName> names_of(const std::vector<GroupView>& views);

/// The roles that need rights to the settings of such a group: its owner and the owners of the
/// views.
std::vector<Oid> owners_of(const std::vector<GroupView>& views, Oid job_owner);

/// Throws SqlError 0A000 if the views have several owners. One snapshot belongs to one session, and
/// each view is refreshed in a session of its owner.
void require_one_owner(const std::vector<GroupView>& views);

}  // namespace metrics_refresh::api
