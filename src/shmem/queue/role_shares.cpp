#include "shmem/queue/role_shares.hpp"

#include <algorithm>
#include <utility>

#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

std::uint32_t find_role(const Content& content, Oid role) noexcept {
  return content.roles.find(core::queue::mixed(role),
                            [role](const RoleEntry& entry) { return entry.role == role; });
}

std::uint32_t find_or_add_role(Content& content, Oid role) noexcept {
  if (const std::uint32_t found = find_role(content, role); found != kNone) return found;
  RoleEntry entry;
  entry.role = role;
  return content.roles.insert(entry);
}

}  // namespace

std::int64_t number_of(const Content& content, Oid role, std::int64_t RoleEntry::*number) noexcept {
  const std::uint32_t index = find_role(content, role);
  return index == kNone ? 0 : content.roles[index].*number;
}

bool may_take(const Content& content, Oid role, std::int64_t RoleEntry::*number,
              std::uint32_t free) noexcept {
  if (!OidIsValid(role)) return free > 0;
  const std::uint32_t index = find_role(content, role);
  if (index == kNone) return free > 0 && content.roles.free_count() > 0;
  return content.roles[index].*number < free;
}

bool add_to_role(Content& content, Oid role, std::int64_t RoleEntry::*number,
                 std::int64_t count) noexcept {
  const std::uint32_t index = OidIsValid(role) ? find_or_add_role(content, role) : kNone;
  if (index == kNone) return false;
  content.roles[index].*number += count;
  return true;
}

// A place that was made anew in the meantime knows nothing of what is given back.
void give_back(Content& content, Oid role, std::int64_t RoleEntry::*number,
               std::int64_t count) noexcept {
  const std::uint32_t index = find_role(content, role);
  if (index == kNone) return;
  RoleEntry& entry = content.roles[index];
  entry.*number = std::max<std::int64_t>(entry.*number - count, 0);
  if (entry.holds + entry.outside + entry.promised == 0) content.roles.erase(index);
}

void keep_promised(Content& content, Oid role, std::int64_t jobs) noexcept {
  if (jobs == 0) return;
  if (const std::uint32_t index = find_role(content, role); index != kNone)
    content.roles[index].kept += jobs;
}

void give_back_kept(Content& content, Oid role) noexcept {
  const std::uint32_t index = find_role(content, role);
  if (index == kNone) return;
  give_back(content, role, &RoleEntry::promised, std::exchange(content.roles[index].kept, 0));
}

Promised promise_jobs(Oid role, std::int64_t least, std::int64_t wish, std::int64_t most) noexcept {
  return locked(LW_EXCLUSIVE, [=](Content& content) -> Promised {
    const std::uint32_t owner = find_owner(content, role);
    const std::int64_t open = owner == kNone ? 0 : content.owners[owner].open;
    const std::int64_t left = most - open - number_of(content, role, &RoleEntry::promised);
    if (left < least) return {true, 0};
    const std::int64_t jobs = std::max(least, std::min(wish, left / 1000));
    return {false, add_to_role(content, role, &RoleEntry::promised, jobs) ? jobs : 0};
  });
}

void end_promises(const Promise* promises, std::uint32_t count) noexcept {
  if (count == 0) return;
  locked(LW_EXCLUSIVE, [=](Content& content) {
    for (std::uint32_t i = 0; i < count; ++i)
      give_back(content, promises[i].role, &RoleEntry::promised, promises[i].jobs);
  });
}

}  // namespace metrics_refresh::shmem::queue
