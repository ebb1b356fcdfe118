// Sets of materialized views as callers name them for a group, and on whose behalf they may have
// all of them refreshed.
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

/// Throws SqlError 42809 for what is no materialized view, 22023 for none at all and for one that
/// is listed twice, 22004 for a NULL among them.
std::vector<GroupView> listed_views(Datum regclass_array);

/// All that the schema holds, by name. Throws SqlError 3F000 where there is no such schema.
std::vector<GroupView> views_of_schema(const std::string& schema);

/// For a schema without views, which says nothing of who may refresh those to come: throws SqlError
/// 42501 unless the caller owns the schema or is a super admin.
void require_rights_over_schema(const std::string& schema);

/// All that read the relation, directly or through other views, by name; where it is a partition or
/// an inheritance child, also those that read its parents. Throws SqlError 42P01 where it does not
/// exist and 42809 where no view can read it.
std::vector<GroupView> dependents_of(Oid relation);

bool may_refresh_all(Oid role, const std::vector<GroupView>& views);

/// On whose behalf the caller has all of these refreshed: the caller where that is enough, else,
/// for a super admin, an owner among them who may. Throws SqlError 42501 where there is none.
Oid group_refresher(const std::vector<GroupView>& views);

std::vector<store::ViewName> names_of(const std::vector<GroupView>& views);

/// Whose rights the settings of such a group need: its owner's and the views' owners'.
std::vector<Oid> owners_of(const std::vector<GroupView>& views, Oid job_owner);

/// Throws SqlError 0A000 where these views have several owners: a snapshot is one session's, and a
/// refresh runs in its owner's.
void require_one_owner(const std::vector<GroupView>& views);

}  // namespace metrics_refresh::api
