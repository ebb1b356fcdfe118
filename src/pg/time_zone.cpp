// Reads time zones from the server's library.
//
// pg_next_dst_boundary() finds the next transition after a time. A ServerTimeZone collects the
// periods between transitions as far as they are needed, and then searches the collected periods.
// Names are checked strictly before pg_tzset() sees them, because that function caches every name
// for the life of the process.
#include "pg/time_zone.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {
namespace {

using std::chrono::seconds;

// About twice the length of the longest name in the time zone data.
constexpr std::size_t kMaxZoneName = 63;
// A longer name is not repeated in messages.
constexpr std::size_t kMaxMessage = 200;

// Earlier than the first transition of any zone, so that pg_next_dst_boundary() finds all of them.
constexpr pg_time_t kBeforeAllTransitions = -20'000'000'000;  // about the year 1336

struct Boundary {
  bool found;
  pg_time_t at;
  long offset_before;
};

// REQUIRES: inside call().
Boundary next_boundary(const pg_tz* zone, pg_time_t from) {
  Boundary result = {};
  long offset_after;
  int dst_before;
  int dst_after;
  const int answer = pg_next_dst_boundary(&from, &result.offset_before, &dst_before, &result.at,
                                          &offset_after, &dst_after, zone);
  if (answer < 0)
    ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR),
            errmsg("could not read the transitions of time zone \"%s\"",
                   pg_get_timezone_name(const_cast<pg_tz*>(zone))));
  result.found = answer > 0;
  return result;
}

// The server might read a name with a digit as a POSIX rule. These are the names with digits in the
// time zone data, and a few fixed offsets.
bool is_numbered_zone(std::string_view name) {
  static constexpr std::string_view kNames[] = {"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT",
                                                "GMT0",    "GMT+0",   "GMT-0"};
  const auto equals = [&name](std::string_view other) {
    return name.size() == other.size() &&
           pg_strncasecmp(name.data(), other.data(), other.size()) == 0;
  };
  const auto drop_prefix = [&name](std::string_view prefix) {
    if (pg_strncasecmp(name.data(), prefix.data(), prefix.size()) == 0)
      name.remove_prefix(prefix.size());
  };
  drop_prefix("posix/");
  drop_prefix("Etc/");
  for (const std::string_view known : kNames)
    if (equals(known)) return true;
  if (name.size() < 5 || name.size() > 6 || (name[3] != '+' && name[3] != '-')) return false;
  int hours = 0;
  for (const char c : name.substr(4)) {
    if (c < '0' || c > '9') return false;
    hours = 10 * hours + (c - '0');
  }
  name = name.substr(0, 3);
  return hours <= 14 && (equals("UTC") || equals("GMT"));
}

// strnlen(): the text may come from a caller and have any length.
bool may_name_zone(const char* name) {
  const std::string_view text(name, strnlen(name, kMaxZoneName + 1));
  if (text.empty() || text.size() > kMaxZoneName) return false;
  bool has_digit = false;
  for (const char c : text) {
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_digit && !is_letter && c != '/' && c != '_' && c != '+' && c != '-') return false;
    has_digit = has_digit || is_digit;
  }
  return !has_digit || is_numbered_zone(text);
}

}  // namespace

const pg_tz* find_time_zone(const char* name) noexcept {
  if (!may_name_zone(name)) return nullptr;
  pg_tz* const zone = pg_tzset(name);
  return zone != nullptr && pg_tz_acceptable(zone) ? zone : nullptr;
}

namespace {

// After this time, the rules of the last years repeat.
constexpr pg_time_t kUntil = 4'102'444'800;  // 2100

// FNV-1a. There is no advantage in a collision, so it need not be cryptographic.
std::uint64_t hash_combine(std::uint64_t hash, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) hash = (hash ^ (value >> (8 * i) & 0xff)) * 0x100000001b3;
  return hash;
}

std::uint64_t hash_rules(const pg_tz* zone) {
  std::uint64_t hash = 0xcbf29ce484222325;
  pg_time_t at = kBeforeAllTransitions;
  while (at < kUntil) {
    const pg_tm* const local = pg_localtime(&at, zone);
    if (local == nullptr) break;
    hash = hash_combine(hash_combine(hash, static_cast<std::uint64_t>(at)),
                        static_cast<std::uint64_t>(local->tm_gmtoff));
    for (const char* c = local->tm_zone; c != nullptr && *c != '\0'; ++c)
      hash = hash_combine(hash, static_cast<unsigned char>(*c));
    const Boundary boundary = next_boundary(zone, at);
    if (!boundary.found || boundary.at <= at) break;
    at = boundary.at;
  }
  return hash;
}

}  // namespace

// The server's tree walkers call this, so an error must be one of the server and not a C++
// exception.
std::uint64_t rules_of_zone(const pg_tz* zone) {
  struct Known {
    const pg_tz* zone;
    std::uint64_t rules;
    Known* next;
  };
  static Known* known = nullptr;
  for (const Known* one = known; one != nullptr; one = one->next)
    if (one->zone == zone) return one->rules;
  const std::uint64_t rules = hash_rules(zone);
  auto* const added = static_cast<Known*>(MemoryContextAlloc(TopMemoryContext, sizeof(Known)));
  *added = {zone, rules, known};
  known = added;
  return rules;
}

std::uint64_t rules_of_zone(const char* name) {
  const pg_tz* const zone = find_time_zone(name);
  return zone == nullptr ? 0 : rules_of_zone(zone);
}

core::TimeZone::Period ServerTimeZone::period_at(core::Instant t) const {
  // Periods are added until the last one covers the instant.
  while (periods_.empty() ||
         (periods_.back().end <= t && periods_.back().end < core::Instant::max())) {
    const bool first = periods_.empty();
    const core::Instant begin = first ? core::Instant::min() : periods_.back().end;
    const pg_time_t from =
        first ? kBeforeAllTransitions
              : std::chrono::duration_cast<seconds>(begin.time_since_epoch()).count();
    const Boundary boundary = call([this, from] { return next_boundary(zone_, from); });
    periods_.push_back({begin,
                        boundary.found ? core::Instant(seconds(boundary.at)) : core::Instant::max(),
                        seconds(boundary.offset_before)});
  }
  const auto after = std::upper_bound(
      periods_.begin(), periods_.end(), t,
      [](core::Instant instant, const Period& period) { return instant < period.end; });
  return after == periods_.end() ? periods_.back() : *after;
}

const core::TimeZone& time_zone(const std::string& name) {
  // The key is the zone itself, because it can be spelled in many ways. Never destroyed.
  static auto& zones = *new std::map<const pg_tz*, ServerTimeZone>;
  const char* text = name.c_str();
  const pg_tz* zone = call([text] { return find_time_zone(text); });
  if (zone == nullptr) {
    const bool is_rule = name.find_first_of("0123456789<,") != std::string::npos;
    throw SqlError(
        ERRCODE_INVALID_PARAMETER_VALUE,
        name.size() > kMaxMessage ? std::string("the name of the time zone is too long")
                                  : "time zone \"" + name + "\" is not known",
        "See the view pg_timezone_names for the names that the server knows.",
        is_rule ? "POSIX rules are not taken, but for UTC and GMT with whole hours." : "");
  }
  return zones.try_emplace(zone, zone).first->second;
}

}  // namespace metrics_refresh::pg
