#include "core/text.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace metrics_refresh::core {

std::string shortened(std::string_view text) {
  constexpr std::size_t kLongest = 24;
  std::string result(text.substr(0, kLongest));
  return text.size() > kLongest ? result + "..." : result;
}

std::string quoted(std::string_view text) { return '"' + shortened(text) + '"'; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_lower(x) == to_lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool is_last_part(std::string_view name, std::string_view qualified) {
  if (qualified.size() <= name.size()) return false;
  // The name must follow a dot, so that "other_name" does not match "name".
  const std::size_t at = qualified.size() - name.size();
  return qualified[at - 1] == '.' && equal_ignoring_case(qualified.substr(at), name);
}

unsigned edit_distance(std::string_view a, std::string_view b, unsigned most) {
  // The difference in length is a lower bound of the distance.
  if (a.size() > b.size() + most || b.size() > a.size() + most) return most + 1;
  // The usual algorithm by Wagner and Fischer, with a single row of the matrix.
  std::vector<unsigned> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<unsigned>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    unsigned diagonal = std::exchange(row[0], static_cast<unsigned>(i));
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const unsigned replaced = diagonal + (to_lower(a[i - 1]) == to_lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return std::min(row[b.size()], most + 1);
}

std::string span(Duration d) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(d).count();
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172'800) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86'400) + " days";
}

std::string literal(std::string_view value) {
  std::string text = "'";
  for (const char c : value) text.append(c == '\'' ? 2 : 1, c);
  return text + "'";
}

}  // namespace metrics_refresh::core
