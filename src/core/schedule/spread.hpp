// Where `H` stands for: a number of the job's own, so that jobs with the same schedule do not start
// together. It follows from the job's name and the field alone, and never changes from one version
// to the next.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <string_view>

namespace metrics_refresh::core {

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input changes each
/// bit of the output with a probability of one half.
constexpr std::uint64_t mix(std::uint64_t x) {
  x = (x ^ x >> 30U) * 0xBF58476D1CE4E5B9U;
  x = (x ^ x >> 27U) * 0x94D049BB133111EBU;
  return x ^ x >> 31U;
}

/// 0 to `count` - 1: FNV-1a, 64 bits wide, over the name's bytes and one more, the field's number;
/// mix() of that; the remainder. `field` is 0 minute, 1 hour, 2 day-of-month, 3 month, 4
/// day-of-week, 5 second. REQUIRES: `count` is not 0.
constexpr unsigned spread(std::string_view job_name, unsigned field, unsigned count) {
  constexpr std::uint64_t kPrime = 0x100000001B3U;
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : job_name) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  hash = (hash ^ field) * kPrime;
  return static_cast<unsigned>(mix(hash) % count);
}

}  // namespace metrics_refresh::core
