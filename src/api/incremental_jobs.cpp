#include "api/incremental_jobs.hpp"

#include "api/access.hpp"
#include "engine/incremental_setup.hpp"
#include "store/groups.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::api {

std::vector<Oid> incremental_views(const store::JobRecord& job) {
  std::vector<Oid> views;
  const auto add = [&views](const std::string& schema, const std::string& name, Oid remembered) {
    const Oid view = engine::resolve_view(schema, name, remembered);
    if (OidIsValid(view)) views.push_back(view);
  };
  if (job.strategy != "incremental") return views;
  if (job.is_refresh()) add(job.view_schema, job.view_name, job.view_oid);
  if (!job.is_group()) return views;
  std::vector<store::Member> members;
  with_tables([&](pg::Spi& spi) { members = store::named_members(spi, job); });
  for (const store::Member& member : members)
    add(member.view_schema, member.view_name, member.view_oid);
  return views;
}

void settle_incremental(const std::vector<Oid>& before, const std::vector<Oid>& after) {
  for (const Oid view : after)
    engine::set_up_incremental(engine::read_view(view), GetUserId(), true);
  for (const Oid view : before) {
    bool wanted = true;
    with_tables([&](pg::Spi& spi) { wanted = store::wants_incremental(spi, view); });
    if (!wanted) engine::take_down_incremental(view);
  }
  with_tables([](pg::Spi& spi) { store::forget_dropped_incremental(spi); });
}

}  // namespace metrics_refresh::api
