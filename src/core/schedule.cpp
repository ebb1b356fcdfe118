#include "core/schedule.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/local_time.hpp"
#include "core/schedule_text.hpp"

namespace metrics_refresh::core {
namespace {

struct Nickname {
  std::string_view name;
  std::string_view fields;
};

constexpr std::array<Nickname, 7> kNicknames = {{{"@hourly", "0 * * * *"},
                                                 {"@daily", "0 0 * * *"},
                                                 {"@midnight", "0 0 * * *"},
                                                 {"@weekly", "0 0 * * 0"},
                                                 {"@monthly", "0 0 1 * *"},
                                                 {"@yearly", "0 0 1 1 *"},
                                                 {"@annually", "0 0 1 1 *"}}};

struct Unit {
  std::string_view singular;
  std::string_view plural;
  std::chrono::seconds length;
};

constexpr std::array<Unit, 3> kUnits = {{{"second", "seconds", std::chrono::seconds{1}},
                                         {"minute", "minutes", std::chrono::minutes{1}},
                                         {"hour", "hours", std::chrono::hours{1}}}};

constexpr std::chrono::seconds kLongestInterval = std::chrono::hours{24} * 365 * 10;

void refuse_word_after(std::size_t count, const std::vector<Word>& words, const char* what) {
  if (words.size() <= count) return;
  const Word& extra = words[count];
  throw ScheduleError("unexpected " + quoted(extra.text) + " after the " + what, extra.position,
                      schedule_forms());
}

CronExpression parse_nickname(const std::vector<Word>& words) {
  const Word& word = words.front();
  const auto found = std::find_if(kNicknames.begin(), kNicknames.end(), [&](const Nickname& n) {
    return equal_ignoring_case(n.name, word.text);
  });
  if (found == kNicknames.end()) {
    throw ScheduleError("unknown nickname " + quoted(word.text), word.position,
                        "The nicknames are @hourly, @daily, @midnight, @weekly, @monthly, @yearly "
                        "and @annually.");
  }
  refuse_word_after(1, words, "nickname");
  return CronExpression::parse(found->fields);
}

const Unit* find_unit(std::string_view text) {
  const auto found = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) {
    return equal_ignoring_case(u.singular, text) || equal_ignoring_case(u.plural, text);
  });
  return found == kUnits.end() ? nullptr : &*found;
}

// No hour field begins with a letter, so a second word that does was meant for a unit.
bool is_interval(const std::vector<Word>& words) {
  return words.size() >= 2 && is_letter(words[1].text.front()) &&
         (words.size() == 2 || find_unit(words[1].text) != nullptr);
}

Duration parse_interval(const std::vector<Word>& words) {
  const Word& count = words[0];
  if (!std::all_of(count.text.begin(), count.text.end(), is_digit)) {
    throw ScheduleError(quoted(count.text) + " is not a whole number", count.position,
                        "An interval is a whole number of seconds, minutes or hours, such as "
                        "90 minutes.");
  }
  const Unit* unit = find_unit(words[1].text);
  if (unit == nullptr) {
    throw ScheduleError("unknown interval unit " + quoted(words[1].text), words[1].position,
                        "The units are seconds, minutes and hours; for days, weeks and months "
                        "write five cron fields, such as 0 2 * * * for every day at 02:00.");
  }
  refuse_word_after(2, words, "interval");

  const std::int64_t most = kLongestInterval / unit->length;
  std::int64_t number = 0;
  for (const char digit : count.text) number = std::min(number * 10 + (digit - '0'), most + 1);
  if (number < 1 || number > most) {
    const std::string units(unit->plural);
    throw ScheduleError("interval of " + quoted(count.text) + " " + units + " is out of range",
                        count.position,
                        "An interval is from 1 to " + std::to_string(most) + " " + units + ".");
  }
  return number * unit->length;
}

// Whole multiples since the epoch; rounding is towards the past, also before 1970.
std::optional<Instant> next_multiple(Instant after, Duration interval) {
  constexpr Instant kEnd{kCalendarEnd.time_since_epoch()};
  if (after >= kEnd) return std::nullopt;
  Duration past = after.time_since_epoch() % interval;
  if (past < Duration::zero()) past += interval;
  const Instant next = after + (interval - past);
  if (next >= kEnd) return std::nullopt;
  return next;
}

}  // namespace

Schedule Schedule::parse(std::string_view text) {
  const std::vector<Word> words = split_words(text);
  if (words.front().text.front() == '@') return Schedule(parse_nickname(words));
  if (is_interval(words)) return Schedule(parse_interval(words));
  return Schedule(CronExpression::parse(text));
}

std::optional<Instant> Schedule::next_after(Instant after, const TimeZone& zone) const {
  if (const auto* cron = std::get_if<CronExpression>(&rule_)) return cron->next_after(after, zone);
  return next_multiple(after, std::get<Duration>(rule_));
}

}  // namespace metrics_refresh::core
