#include "shmem/queue/types.hpp"

#include <algorithm>

#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

void leave_owners(Content& content, TypeEntry& entry) noexcept {
  if (!entry.is_known) return;
  if (const std::uint32_t role = find_owner(content, entry.copy.role); role != kNone)
    content.owners[role].open -= entry.counts.in_share();
  leave_owner(content, entry.copy.role);
  leave_owner(content, entry.copy.settings.owner);
  entry.is_known = false;
}

void join_owners(Content& content, TypeEntry& entry, const TypeCopy& copy) noexcept {
  entry.copy = copy;
  entry.is_known = true;
  refer_to_owner(content, copy.role);
  refer_to_owner(content, copy.settings.owner);
  content.owners[find_owner(content, copy.role)].open += entry.counts.in_share();
  give_back_kept(content, copy.role);
}

std::uint32_t bite_of(const TypeEntry& entry) noexcept {
  const core::queue::TypeSettings& settings = entry.copy.settings;
  const std::uint32_t most = std::max(settings.bite, 1U);
  if (entry.copy.is_grouped || is_outside_owner(settings.owner)) return most;
  if (entry.mean.count() < 0) return 1;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(
      settings.bite_time / std::max(entry.mean, core::Duration{1}), 1, most));
}

}  // namespace

void update_bite(Content& content, const TypeEntry& entry) noexcept {
  content.ready().set_bite(entry.type, bite_of(entry));
}

std::uint64_t type_changes() noexcept {
  return locked(LW_SHARED, [](const Content& content) { return content.type_changes; });
}

bool set_type(TypeId type, const TypeCopy& copy, std::uint64_t changes) noexcept {
  const core::Instant now = pg::now();
  return locked_with_wakes([&](Content& content, Wakes& wakes) {
    const std::uint32_t index = find_or_add_type(content, type);
    if (index == kNone) return false;
    TypeEntry& entry = content.types[index];
    if (entry.changed > changes) return true;
    if (!content.ready().set_type(type, copy.settings, now)) return false;
    leave_owners(content, entry);
    join_owners(content, entry, copy);
    update_bite(content, entry);
    offer_any_work(content, copy.settings.owner, wakes);
    return true;
  });
}

std::map<TypeId, Oid> roles_of_types() {
  std::vector<std::pair<TypeId, Oid>> found;
  found.reserve(type_room());
  locked(LW_SHARED, [&found](Content& content) {
    for (std::uint32_t i = 0; i < content.types.size(); ++i)
      if (const TypeEntry& entry = content.types[i]; entry.type != 0 && entry.is_known)
        found.emplace_back(entry.type, entry.copy.role);
  });
  return {found.begin(), found.end()};
}

std::uint32_t type_room() noexcept { return sizes().ready.types; }

void forget_type(TypeId type) noexcept {
  const core::Instant now = pg::now();
  locked(LW_EXCLUSIVE, [type, now](Content& content) {
    content.ready().forget_type(type, now);
    const std::uint32_t index = find_type(content, type);
    if (index == kNone) return;
    leave_owners(content, content.types[index]);
    content.types.erase(index);
  });
}

void book_starts(TypeId type, std::uint32_t count) noexcept {
  const core::Instant now = pg::now();
  locked(LW_EXCLUSIVE,
         [type, count, now](Content& content) { content.ready().book_starts(type, count, now); });
}

}  // namespace metrics_refresh::shmem::queue
