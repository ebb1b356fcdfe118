#include "core/schedule/schedule_text.hpp"

#include "api/likely_job.hpp"
#include "pg/identity.hpp"
#include "store/job_names.hpp"

namespace metrics_refresh::api {

std::string likely_job(const std::string& name) {
  // A letter in three may be wrong; case is not counted.
  unsigned least = static_cast<unsigned>(name.size() / 3) + 1;
  std::string best;
  // As the caller: a hint tells nobody of another role's jobs.
  pg::with_own_sql([&] {
    pg::Spi spi;
    for (std::string& job : store::names_like(spi, name)) {
      const unsigned distance = core::edit_distance(name, job, least);
      // `public.sales` for `sales`, and `sales` for `public.sales`.
      const bool is_view =
          distance > 1 && (core::is_last_part(name, job) || core::is_last_part(job, name));
      if (!is_view && distance >= least) continue;
      least = is_view ? 1 : distance;
      best = std::move(job);
    }
  });
  return best;
}

}  // namespace metrics_refresh::api
