// The words of a description, one after the other: numbers, names, lists and ranges of them.
#pragma once

#include <array>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

namespace metrics_refresh::core::test {

using Numbers = std::set<unsigned>;

class DescriptionWords {
 protected:
  explicit DescriptionWords(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }

  [[noreturn]] void fail() const {
    throw std::invalid_argument("cannot read on at: " + std::string(rest_));
  }
  void require(bool read) const {
    if (!read) fail();
  }

  bool skip(std::string_view words) {
    if (rest_.substr(0, words.size()) != words) return false;
    rest_.remove_prefix(words.size());
    return true;
  }

  /// Skips all up to and including `words`.
  bool skip_to(std::string_view words) {
    const std::size_t at = rest_.find(words);
    if (at == std::string_view::npos) return false;
    rest_.remove_prefix(at + words.size());
    return true;
  }

  /// What `read` answers; where that is false, nothing has been read.
  template <typename Read>
  bool attempt(Read read) {
    const std::string_view begin = rest_;
    if (read()) return true;
    rest_ = begin;
    return false;
  }

  bool number(unsigned& n) {
    std::size_t length = 0;
    while (length < rest_.size() && rest_[length] >= '0' && rest_[length] <= '9') ++length;
    if (length == 0) return false;
    n = static_cast<unsigned>(std::stoul(std::string(rest_.substr(0, length))));
    rest_.remove_prefix(length);
    return true;
  }

  bool ordinal(unsigned& n) {
    return number(n) && (skip("st") || skip("nd") || skip("rd") || skip("th"));
  }

  template <std::size_t kCount>
  bool name(const std::array<const char*, kCount>& names, unsigned& n) {
    for (n = 0; n < kCount; ++n)
      if (skip(names[n])) return true;
    return false;
  }

  /// One item or several.
  template <typename Item>
  bool list(Item item) {
    if (!attempt(item)) return false;
    while (attempt([&] { return (skip(", ") || skip(" and ")) && item(); })) continue;
    return true;
  }

  /// A number, or from one to another, which may go on from 0 after `high`.
  template <typename Number>
  bool range(Numbers& set, unsigned high, Number read) {
    unsigned first = 0;
    if (!read(first)) return false;
    unsigned last = first;
    if (skip(" to ")) require(read(last));
    require(first <= high && last <= high);
    for (unsigned n = first; n != last; n = n == high ? 0 : n + 1) set.insert(n);
    set.insert(last);
    return true;
  }

  /// The numbers of a list of ranges.
  Numbers numbers(unsigned high) {
    Numbers set;
    require(list([&] { return range(set, high, [&](unsigned& n) { return number(n); }); }));
    return set;
  }

  static Numbers every(unsigned step, unsigned low, unsigned high) {
    Numbers set;
    for (unsigned n = low; step > 0 && n <= high; n += step) set.insert(n);
    return set;
  }

 private:
  std::string_view rest_;
};

}  // namespace metrics_refresh::core::test
