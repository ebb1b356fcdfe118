#include "core/schedule/schedule.hpp"

#include <algorithm>
#include <array>

#include "core/schedule/interval_text.hpp"
#include "core/schedule/schedule_text.hpp"

namespace metrics_refresh::core {
namespace {

// A schedule is a list of rules. The text is split at semicolons, and the first word of each part
// decides the kind of rule. A word that begins with @ is a nickname or a form of our own. Otherwise
// the words are an interval or cron fields. Texts that other programs accept, but this one does
// not, get an error with the text to write instead.

using Rule = Schedule::Rule;

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
// Names that stand for more than five fields.
constexpr std::array<std::string_view, 4> kForms = {"@every", "@after", "@seconds", "@reboot"};

void refuse_word_after(std::size_t count, const Words& words, const char* what) {
  if (words.size() <= count) return;
  const Word& extra = words[count];
  throw ScheduleError("unexpected " + quoted(extra.text) + " after the " + what, extra.position,
                      schedule_forms());
}

[[noreturn]] void refuse_nickname(const Word& word) {
  std::string_view best;
  unsigned least = 3;
  const auto consider = [&](std::string_view name) {
    // At most two differences: otherwise the suggestion would be a guess.
    const unsigned distance = edit_distance(word.text, name, 3);
    if (distance < least) best = name;
    least = std::min(least, distance);
  };
  for (const Nickname& nickname : kNicknames) consider(nickname.name);
  for (const std::string_view form : kForms) consider(form);
  const bool likely = !best.empty() && word.text.size() > 3;
  throw ScheduleError(
      "unknown nickname " + quoted(word.text), word.position,
      (likely ? "Write " + std::string(best) + ". " : std::string()) +
          "The nicknames are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually and "
          "@reboot; @every and @after take an interval, @seconds six fields.");
}

CronExpression parse_nickname(const Words& words) {
  const auto found = std::find_if(kNicknames.begin(), kNicknames.end(), [&](const Nickname& n) {
    return equal_ignoring_case(n.name, words.front().text);
  });
  if (found == kNicknames.end()) refuse_nickname(words.front());
  refuse_word_after(1, words, "nickname");
  return CronExpression::parse(cut_words(found->fields, 0, found->fields.size()), {});
}

AfterFinish parse_after(const Words& words) {
  const Interval interval = parse_interval(words, 1);
  // Only a fixed length can be added to the end of a run.
  if (interval.unit() != Interval::Unit::kSeconds)
    throw ScheduleError("@after counts in hours, minutes and seconds", words[1].position,
                        "A day is 24 hours, a week 168 hours.");
  return {std::chrono::seconds{interval.count()}};
}

Rule parse_named(const Words& words, const ScheduleContext& context) {
  const std::string_view name = words.front().text;
  if (equal_ignoring_case(name, "@every")) return parse_interval(words, 1);
  if (equal_ignoring_case(name, "@after")) return parse_after(words);
  if (equal_ignoring_case(name, "@seconds")) return CronExpression::parse(words, context.job_name);
  if (equal_ignoring_case(name, "@reboot")) {
    refuse_word_after(1, words, "nickname");
    return AtServerStart{context.server_start};
  }
  return parse_nickname(words);
}

// Refuses `daily` or `every 5 minutes`, which lack the @.
void refuse_missing_at(const Word& word) {
  const auto check = [&](std::string_view name) {
    if (!equal_ignoring_case(word.text, name.substr(1))) return;
    throw ScheduleError("there is no @ before " + quoted(word.text), word.position,
                        "Write " + std::string(name) + ".");
  };
  for (const Nickname& nickname : kNicknames) check(nickname.name);
  for (const std::string_view form : kForms) check(form);
}

// Refuses `TZ=UTC` and `CRON_TZ=UTC`, which other cron programs accept.
void refuse_zone(const Word& word) {
  const std::size_t equals = word.text.find('=');
  const std::string_view name = word.text.substr(0, equals);
  if (equals == std::string_view::npos ||
      !(equal_ignoring_case(name, "TZ") || equal_ignoring_case(name, "CRON_TZ")))
    return;
  throw ScheduleError("unexpected " + quoted(word.text) + " before the schedule", word.position,
                      "The zone is an option of the job, timezone => '" +
                          shortened(word.text.substr(equals + 1)) + "'.");
}

// Refuses `90s`. A single word is never a set of cron fields, but @every makes clear what is meant.
void refuse_bare_length(const Words& words) {
  const Word& word = words.front();
  if (words.size() > 1 || !is_digit(word.text.front())) return;
  if (std::none_of(word.text.begin(), word.text.end(), is_letter)) return;
  if (!std::all_of(word.text.begin(), word.text.end(),
                   [](char c) { return is_letter(c) || is_digit(c); }))
    return;
  throw ScheduleError(quoted(word.text) + " alone is no schedule", word.position,
                      "For an interval write @every " + shortened(word.text) + ".");
}

Rule parse_rule(const Words& words, const ScheduleContext& context) {
  // These checks come before the parsers, whose errors would be less clear.
  if (words.front().text.front() == '@') return parse_named(words, context);
  refuse_missing_at(words.front());
  refuse_zone(words.front());
  if (is_interval(words)) return parse_interval(words, 0);
  refuse_bare_length(words);
  return CronExpression::parse(words, context.job_name);
}

Words words_of_one(std::string_view text, std::size_t from, std::size_t to) {
  const Words words = cut_words(text, from, to);
  // An empty part between two semicolons is reported at its place.
  if (!words.empty()) return words;
  const bool only = from == 0 && to == text.size();
  throw ScheduleError(
      only ? "schedule is empty" : "one of the schedules is empty", only ? 1 : to + 1,
      only ? schedule_forms() : "Between two schedules there is one ;, and none after the last.");
}

struct NextDue {
  Instant after;
  const TimeZone& zone;
  std::optional<Instant> last_end;

  std::optional<Instant> operator()(const CronExpression& cron) const {
    return cron.next_after(after, zone);
  }
  std::optional<Instant> operator()(const Interval& interval) const {
    return interval.next_after(after, zone);
  }
  std::optional<Instant> operator()(const AfterFinish& rule) const {
    // Without a previous run, the pause counts from `after`.
    return next_multiple(last_end.value_or(after), rule.pause, after);
  }
  std::optional<Instant> operator()(const AtServerStart& rule) const {
    return rule.start && *rule.start > after ? rule.start : std::nullopt;
  }
};

}  // namespace

Schedule Schedule::parse(std::string_view text, const ScheduleContext& context) {
  // Characters are checked once for the whole text, so that positions in messages count from its
  // start.
  check_characters(text, kScheduleText);
  std::size_t end = std::min(text.find(';'), text.size());
  Schedule schedule(parse_rule(words_of_one(text, 0, end), context));
  while (end < text.size()) {
    const std::size_t begin = end + 1;
    end = std::min(text.find(';', begin), text.size());
    schedule.more_.push_back(parse_rule(words_of_one(text, begin, end), context));
  }
  return schedule;
}

std::optional<Instant> Schedule::next_after(Instant after, const TimeZone& zone,
                                            std::optional<Instant> last_end) const {
  const NextDue next{after, zone, last_end};
  std::optional<Instant> due = std::visit(next, first_);
  // The earliest due time of all rules counts.
  for (const Rule& rule : more_) {
    const std::optional<Instant> other = std::visit(next, rule);
    if (other && (!due || *other < *due)) due = other;
  }
  return due;
}

bool Schedule::counts_from_end() const {
  for (std::size_t i = 0; i < size(); ++i)
    if (std::holds_alternative<AfterFinish>(rule(i))) return true;
  return false;
}

bool Schedule::has_idle_step() const {
  for (std::size_t i = 0; i < size(); ++i) {
    const auto* cron = std::get_if<CronExpression>(&rule(i));
    if (cron != nullptr && cron->has_idle_step()) return true;
  }
  return false;
}

bool Schedule::is_due_at_server_start() const {
  for (std::size_t i = 0; i < size(); ++i)
    if (std::holds_alternative<AtServerStart>(rule(i))) return true;
  return false;
}

std::optional<Instant> Schedule::server_start() const {
  for (std::size_t i = 0; i < size(); ++i)
    if (const auto* at_start = std::get_if<AtServerStart>(&rule(i))) return at_start->start;
  return std::nullopt;
}

}  // namespace metrics_refresh::core
