#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {
namespace {

// A stored text may have a short header, but the keys of jobs are too short to be compressed.
std::uint64_t hash_of(const text* value, std::uint64_t seed) noexcept {
  return DatumGetUInt64(hash_any_extended(
      static_cast<const unsigned char*>(static_cast<const void*>(VARDATA_ANY(value))),
      static_cast<int>(VARSIZE_ANY_EXHDR(value)), seed));
}

}  // namespace

KeyHash key_hash(const text* key) noexcept {
  if (key == nullptr) return 0;
  const KeyHash hash = hash_of(key, 0);
  return hash != 0 ? hash : 1;
}

std::int64_t unique_hash(TypeId type, const text* unique_key) noexcept {
  return static_cast<std::int64_t>(hash_of(unique_key, static_cast<std::uint64_t>(type) + 1));
}

}  // namespace metrics_refresh::store::queue
