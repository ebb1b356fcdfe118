// A segment is read in parts, each with a snapshot of its own. That is enough: rows that become
// visible after begin_reread() are posted by their own transactions. So is a row of which a job is
// moved meanwhile.
#include "queue/upkeep/rereads.hpp"

#include <vector>

#include "queue/upkeep/changes.hpp"
#include "shmem/queue/post.hpp"
#include "shmem/queue/scheduler_news.hpp"
#include "store/queue/sizes.hpp"

namespace metrics_refresh::queue {
namespace {

using shmem::queue::Jobs;

constexpr std::size_t kMost = 4000;
// A post holds the queue's lock, so it has to be short.
constexpr std::size_t kMostInPost = 250;
constexpr core::Duration kPace = std::chrono::seconds{1};

void post(const std::vector<Jobs>& jobs) {
  for (std::size_t i = 0; i < jobs.size(); i += kMostInPost) {
    shmem::queue::Posts posts;
    posts.jobs = jobs.data() + i;
    posts.job_count = static_cast<std::uint32_t>(std::min(kMostInPost, jobs.size() - i));
    shmem::queue::post(posts);
  }
}

}  // namespace

void Rereads::expect(std::uint8_t segments, core::Instant now) {
  if (segments == 0) return;
  wanted_ = static_cast<std::uint8_t>(wanted_ | segments);
  due_.no_later_than(std::min(began_, now) + kPace);
}

void Rereads::expect_at_once(std::uint8_t segments) {
  wanted_ = static_cast<std::uint8_t>(wanted_ | segments);
  shmem::queue::want_rereads(segments);
  if (segments != 0) due_.at_once();
}

void Rereads::work(core::Instant now) {
  if (!due_.take(now)) return;
  if (segment_ < 0) begin(now);
  if (segment_ < 0) return;
  if (!read_some()) return due_.failed(now);
  due_.succeeded();
  if (segment_ >= 0 || wanted_ != 0) due_.at_once();
}

void Rereads::begin(core::Instant now) {
  for (std::uint8_t i = 0; i < shmem::queue::kSegments && segment_ < 0; ++i)
    if ((wanted_ >> i & 1) != 0) segment_ = i;
  if (segment_ < 0) return;
  wanted_ = static_cast<std::uint8_t>(wanted_ & ~(1U << segment_));
  began_ = now;
  until_ = last_ = 0;
  shmem::queue::begin_reread(static_cast<std::uint8_t>(segment_));
}

bool Rereads::read_some() {
  const auto segment = static_cast<std::uint8_t>(segment_);
  std::vector<Jobs> jobs;
  store::queue::UnendedRead read;
  const bool has_read =
      store::try_with_own_tables("ready jobs cannot be read now", [&](pg::Spi& spi) {
        // Higher numbers that become visible later are posted by their transactions.
        if (last_ == 0) last_ = store::queue::last_number(spi, segment);
        std::vector<Unended> buffer(kMost);
        read = store::queue::read_unended(segment, until_, last_, GetActiveSnapshot(),
                                          buffer.data(), buffer.size());
        jobs.reserve(read.count);
        for (std::size_t i = 0; i < read.count; ++i) jobs.push_back(claimable(buffer[i]));
      });
  if (!has_read) return false;
  post(jobs);
  until_ = read.until;
  if (until_ < last_) return true;
  shmem::queue::end_reread(segment);
  segment_ = -1;
  return true;
}

}  // namespace metrics_refresh::queue
