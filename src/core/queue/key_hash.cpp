#include "core/queue/key_hash.hpp"

#include "core/queue/table.hpp"

namespace metrics_refresh::core::queue {

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), whose low bits are then mixed with the
// others.
KeyHash key_hash(std::string_view key) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  hash = mixed(hash);
  return hash != 0 ? hash : 1;
}

}  // namespace metrics_refresh::core::queue
