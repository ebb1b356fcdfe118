#include "core/queue/key_hash.hpp"

#include "store/queue/job.hpp"

#include "pg/guard.hpp"

namespace metrics_refresh::store::queue {
namespace {

// A stored text may have a short header, but keys are too short to be compressed.
std::uint64_t hash_of(const text* value) noexcept {
  return core::queue::key_hash(std::string_view(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)));
}

}  // namespace

const text* make_text(std::string_view value) {
  return pg::call(
      [value] { return cstring_to_text_with_len(value.data(), static_cast<int>(value.size())); });
}

KeyHash key_hash(const text* key) noexcept { return key == nullptr ? 0 : hash_of(key); }

std::int64_t unique_hash(TypeId type, const text* unique_key) noexcept {
  // An odd factor: different types have different hashes.
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15;
  return static_cast<std::int64_t>(hash_of(unique_key) +
                                   static_cast<std::uint64_t>(type) * kFactor);
}

}  // namespace metrics_refresh::store::queue
