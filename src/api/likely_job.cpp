#include "core/text.hpp"

#include "api/likely_job.hpp"
#include "pg/identity.hpp"
#include "store/job_names.hpp"

namespace metrics_refresh::api {

std::string likely_job(const std::string& name) {
  // One letter in three may differ. Upper and lower case are equal.
  unsigned least = static_cast<unsigned>(name.size() / 3) + 1;
  std::string best;
  // With the rights of the caller: a hint must not reveal jobs of other roles.
  pg::with_own_sql([&] {
    pg::Spi spi;
    for (std::string& job : store::names_like(spi, name)) {
      const unsigned distance = core::edit_distance(name, job, least);
      // `public.sales` is similar to `sales`, in both directions.
      const bool is_view =
          distance > 1 && (core::is_last_part(name, job) || core::is_last_part(job, name));
      // Only a better match replaces the best one, so that the first of equal names wins.
      if (!is_view && distance >= least) continue;
      least = is_view ? 1 : distance;
      best = std::move(job);
    }
  });
  return best;
}

}  // namespace metrics_refresh::api
