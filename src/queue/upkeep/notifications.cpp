#include "queue/upkeep/notifications.hpp"

#include <string>
#include <vector>

#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "queue/upkeep/changes.hpp"
#include "shmem/queue/scheduler_news.hpp"
#include "shmem/queue/status.hpp"

namespace metrics_refresh::queue {
namespace {

using shmem::queue::Ends;
using shmem::queue::TypeId;

constexpr core::Duration kPace = std::chrono::milliseconds{100};
// A notification has less than 8,000 bytes. With more types, it does not list them.
constexpr std::size_t kMostTypes = 500;

std::map<TypeId, Ends> present_ends() {
  std::map<TypeId, Ends> ends;
  for (const shmem::queue::TypeCounts& counts : shmem::queue::all_type_counts())
    ends[counts.type] = counts.ends;
  return ends;
}

struct Sum {
  Ends ends;
  std::vector<TypeId> types;
};

// A type that was dropped and made again begins at 0.
Ends difference(const Ends& from, const Ends& to) {
  const auto rise = [](std::int64_t before, std::int64_t after) {
    return std::max<std::int64_t>(after - before, 0);
  };
  return {rise(from.completed, to.completed), rise(from.failed, to.failed),
          rise(from.dead, to.dead), rise(from.canceled, to.canceled)};
}

Sum difference(const std::map<TypeId, Ends>& from, const std::map<TypeId, Ends>& to) {
  Sum sum;
  for (const auto& [type, ends] : to) {
    const auto known = from.find(type);
    const Ends news = difference(known == from.end() ? Ends{} : known->second, ends);
    if (news.empty()) continue;
    sum.types.push_back(type);
    sum.ends += news;
  }
  return sum;
}

std::string present_time() {
  char time[MAXDATELEN + 1] = "";
  pg::call([&time] {
    JsonEncodeDateTime(time, TimestampTzGetDatum(GetCurrentTimestamp()), TIMESTAMPTZOID, nullptr);
  });
  return time;
}

std::string payload_of(const Sum& sum) {
  std::string types = "null";
  if (sum.types.size() <= kMostTypes) {
    types = "[";
    for (const TypeId type : sum.types)
      types += (types.size() > 1 ? ", " : "") + std::to_string(type);
    types += "]";
  }
  return "{\"queue\": {\"completed\": " + std::to_string(sum.ends.completed) +
         ", \"failed\": " + std::to_string(sum.ends.failed) +
         ", \"dead\": " + std::to_string(sum.ends.dead) +
         ", \"canceled\": " + std::to_string(sum.ends.canceled) + ", \"types\": " + types +
         "}, \"at\": \"" + present_time() + "\"}";
}

bool send(const std::string& payload) {
  const std::optional<shmem::queue::QueueStatus> status = shmem::queue::queue_status();
  return try_change("listeners cannot be notified of jobs now", [&](pg::Spi&) {
    pg::call([&] {
      if (status && status->last_end != InvalidXLogRecPtr) XLogFlush(status->last_end);
      Async_Notify("metrics_refresh", payload.c_str());
    });
  });
}

}  // namespace

void Notifications::begin() {
  told_ = present_ends();
  is_watching_ = settings::queue_notify();
  shmem::queue::watch_ends(is_watching_);
}

// Until the notification is sent, further ends need not wake this process.
void Notifications::expect(core::Instant now) {
  due_.no_later_than(std::max(now, std::min(last_, now) + kPace));
  shmem::queue::watch_ends(false);
}

void Notifications::work(core::Instant now) {
  if (settings::queue_notify() != is_watching_) begin();
  if (!due_.take(now) || !is_watching_) return;
  shmem::queue::watch_ends(true);  // before the ends are read, so that none is missed
  std::map<TypeId, Ends> ends = present_ends();
  const Sum sum = difference(told_, ends);
  last_ = now;
  if (sum.types.empty()) return;
  if (!send(payload_of(sum))) return due_.failed(now);
  due_.succeeded();
  told_ = std::move(ends);
}

}  // namespace metrics_refresh::queue
