// The value of `H`: a number that depends on the job, so that jobs with the same schedule do not
// start at the same time. It is computed from the job's name and the field only, and must never
// change between versions.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <string_view>

namespace metrics_refresh::core {

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014). If one bit of the input changes, each
/// bit of the output changes with a probability of one half.
constexpr std::uint64_t mix(std::uint64_t x) {
  x = (x ^ x >> 30U) * 0xBF58476D1CE4E5B9U;
  x = (x ^ x >> 27U) * 0x94D049BB133111EBU;
  return x ^ x >> 31U;
}

/// Returns a number from 0 to `count` - 1. The name's bytes and one more byte, the field's number,
/// are hashed by 64-bit FNV-1a; the result is the remainder of mix() of that hash. `field` is 0 for
/// minute, 1 for hour, 2 for day-of-month, 3 for month, 4 for day-of-week, and 5 for second.
/// REQUIRES: `count` is not 0.
constexpr unsigned spread(std::string_view job_name, unsigned field, unsigned count) {
  constexpr std::uint64_t kPrime = 0x100000001B3U;
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : job_name) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  hash = (hash ^ field) * kPrime;
  return static_cast<unsigned>(mix(hash) % count);
}

}  // namespace metrics_refresh::core
