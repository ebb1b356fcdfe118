// A real time zone, from the TZif file (RFC 8536) in the system's zoneinfo directory. Reads the
// 64-bit transitions only, not the rule for the years after them: good up to 2037.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "unit/fake_zone.hpp"

namespace metrics_refresh::core::test {

class TzifReader {
 public:
  explicit TzifReader(const std::string& name) {
    std::ifstream file("/usr/share/zoneinfo/" + name, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    if (bytes_.compare(0, 4, "TZif") != 0 || bytes_.at(4) < '2') {
      throw std::runtime_error("no TZif file of version 2 or later for " + name +
                               "; is tzdata installed?");
    }
  }

  FakeZone read() {
    const Header old = read_header();
    at_ +=
        old.times * 5 + old.types * 6 + old.characters + old.leaps * 8 + old.standards + old.utcs;
    const Header header = read_header();
    const std::size_t indices = at_ + header.times * 8;
    const std::size_t types = indices + header.times;
    const auto offset_of = [&](std::size_t type) {
      return std::chrono::seconds{static_cast<std::int32_t>(number(types + type * 6, 4))};
    };

    std::vector<FakeZone::Transition> transitions;
    std::chrono::seconds first_offset = offset_of(0);
    for (std::size_t i = 0; i < header.times; ++i) {
      const std::chrono::seconds at{static_cast<std::int64_t>(number(at_ + i * 8, 8))};
      const auto offset = offset_of(static_cast<unsigned char>(bytes_.at(indices + i)));
      if (at < std::chrono::hours{-24 * 365 * 500}) {
        first_offset = offset;  // zic's stand-in for the beginning of time
      } else {
        transitions.push_back({Instant{at}, offset});
      }
    }
    return FakeZone(first_offset, transitions);
  }

 private:
  struct Header {
    std::size_t utcs, standards, leaps, times, types, characters;
  };

  Header read_header() {
    const std::size_t begin = at_ + 20;
    at_ = begin + 24;
    return {number(begin, 4),      number(begin + 4, 4),  number(begin + 8, 4),
            number(begin + 12, 4), number(begin + 16, 4), number(begin + 20, 4)};
  }

  std::uint64_t number(std::size_t at, std::size_t length) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < length; ++i) {
      value = value << 8 | static_cast<unsigned char>(bytes_.at(at + i));
    }
    return value;
  }

  std::string bytes_;
  std::size_t at_ = 0;
};

inline FakeZone system_zone(const std::string& name) { return TzifReader(name).read(); }

}  // namespace metrics_refresh::core::test
