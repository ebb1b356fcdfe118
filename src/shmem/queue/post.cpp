#include "shmem/queue/post.hpp"

#include <algorithm>

#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

// The lock is released after so many jobs, so that others do not wait for long.
constexpr std::uint32_t kChunk = 64;

bool has_ends(const Posts& posts) noexcept {
  if (posts.ended_count > 0) return true;
  for (std::uint32_t i = 0; i < posts.type_count; ++i)
    if (!posts.types[i].ends.empty()) return true;
  return false;
}

// A type that was made a moment ago counts for no role until the scheduler has read it.
bool adds_to_unknown_type(const Content& content, const Posts& posts) noexcept {
  for (std::uint32_t i = 0; i < posts.type_count; ++i) {
    if (posts.types[i].counts.in_share() <= 0) continue;
    const std::uint32_t type = find_type(content, posts.types[i].type);
    if (type == kNone || !content.types[type].is_known) return true;
  }
  return false;
}

// A type that is not in shared memory starts nothing anyway.
void suspend_type(Content& content, TypeId type) noexcept {
  const std::uint32_t index = find_type(content, type);
  if (index == kNone) return;
  content.types[index].changed = content.type_changes;
  content.ready().suspend_type(type);
}

// A process that sees the ends counted has to flush the log up to their commit.
void post_numbers(Content& content, const Posts& posts, Wakes& wakes) noexcept {
  if (posts.types_changed) ++content.type_changes;
  if (has_ends(posts)) content.news.last_end = std::max(content.news.last_end, posts.lsn);
  for (std::uint32_t i = 0; i < posts.type_count; ++i) {
    count_type(content, posts.types[i].type, posts.types[i].counts, posts.types[i].ends,
               posts.transaction);
    if (posts.types[i].has_new_settings) suspend_type(content, posts.types[i].type);
    if (content.watches_ends && posts.types[i].ends.failed > 0)
      tell(&SchedulerNews::ended, content, wakes);
  }
  for (std::uint8_t segment = 0; segment < kSegments; ++segment)
    if (posts.segments[segment] != 0)
      count_segment(content, segment, posts.segments[segment], posts.transaction);
  for (std::uint32_t i = 0; i < posts.batch_count; ++i)
    count_batch(content, posts.batches[i], posts.transaction);
  const bool keeps = posts.promise_count > 0 && adds_to_unknown_type(content, posts);
  for (std::uint32_t i = 0; i < posts.promise_count; ++i) {
    const Promise& promise = posts.promises[i];
    const std::int64_t kept = keeps ? promise.used : 0;
    keep_promised(content, promise.role, kept);
    give_back(content, promise.role, &RoleEntry::promised, promise.jobs - kept);
  }
  if (posts.counts_are_unknown) {
    content.counts_are_exact = false;
    tell(&SchedulerNews::recount, content, wakes);
  }
}

void post_news(Content& content, const Posts& posts, Wakes& wakes) noexcept {
  if (posts.later_due < content.news.later_due) {
    content.news.later_due = posts.later_due;
    content.news.later = true;
    wakes.scheduler = true;
  }
  if (posts.has_dependencies) tell(&SchedulerNews::dependencies, content, wakes);
  if (posts.has_batches) {
    content.batch_ends_lost = true;  // none of its jobs may end any more
    tell(&SchedulerNews::batches, content, wakes);
  }
  if (posts.types_changed) tell(&SchedulerNews::types, content, wakes);
  for (std::uint8_t segment = 0; segment < kSegments; ++segment)
    if ((posts.rereads >> segment & 1U) != 0) content.ready().want_reread(segment);
}

// Returns how many were posted.
std::uint32_t post_jobs(Content& content, const Posts& posts, std::uint32_t from, TimestampTz now,
                        Wakes& wakes) noexcept {
  const std::uint32_t until = std::min(from + kChunk, posts.job_count);
  std::uint32_t i = from;
  for (; i < until && !wakes.is_full(); ++i) post_locked(content, posts.jobs[i], now, wakes);
  return i - from;
}

}  // namespace

void post(const Posts& posts) noexcept {
  const TimestampTz now = posts.job_count > 0 ? GetCurrentTimestamp() : 0;
  // The numbers come first, so that no job ends that was not counted. Most transactions need the
  // lock only once.
  const std::uint32_t first =
      locked_with_wakes([&posts, now](Content& content, Wakes& wakes) -> std::uint32_t {
        post_numbers(content, posts, wakes);
        post_news(content, posts, wakes);
        return posts.ended_count == 0 ? post_jobs(content, posts, 0, now, wakes) : 0;
      });
  for (std::uint32_t from = 0; from < posts.ended_count; from += kChunk)
    locked_with_wakes([&posts, from](Content& content, Wakes& wakes) {
      const std::uint32_t until = std::min(from + kChunk, posts.ended_count);
      for (std::uint32_t i = from; i < until; ++i)
        tell_end(content, posts.ended[i].job, posts.ended[i].batch, posts.transaction, posts.lsn,
                 wakes);
      if (content.watches_ends) tell(&SchedulerNews::ended, content, wakes);
    });
  for (std::uint32_t from = first; from < posts.job_count;) {
    const std::uint32_t posted =
        locked_with_wakes([&posts, from, now](Content& content, Wakes& wakes) {
          return post_jobs(content, posts, from, now, wakes);
        });
    if (posted == 0) return;  // the place is gone
    from += posted;
  }
}

}  // namespace metrics_refresh::shmem::queue
