#include "core/sql_tokens.hpp"

#include <gtest/gtest.h>

#include <string>

namespace metrics_refresh::core {
namespace {

// Each token with a letter for its kind.
std::string cut(std::string_view text, bool backslash_escapes = false) {
  SqlTokens tokens(text, backslash_escapes);
  SqlToken token;
  std::string result;
  while (tokens.next(token)) {
    if (!result.empty()) result += ' ';
    result += "nqso.!"[static_cast<int>(token.kind)];
    result += '(' + std::string(token.text) + ')';
  }
  return result;
}

TEST(SqlTokens, CutNamesOperatorsAndTheRest) {
  EXPECT_EQ(cut(R"(SELECT k."Conf".rate+$1 FROM "a""b";)"),
            R"(n(SELECT) n(k) .(.) q(Conf) .(.) n(rate) o(+) .($1) n(FROM) q(a""b) .(;))");
  EXPECT_EQ(cut("x::int<@y"), "n(x) .(::) n(int) o(<@) n(y)");
  EXPECT_EQ(cut("1.5e3..7"), ".(1.5e3) .(.) .(.) .(7)");
  EXPECT_EQ(cut("zürich$1"), "n(zürich$1)");
  EXPECT_EQ(cut(""), "");
}

TEST(SqlTokens, LeaveCommentsOut) {
  EXPECT_EQ(cut("a -- FROM b\nc"), "n(a) n(c)");
  EXPECT_EQ(cut("a /* x /* y */ FROM b */ c"), "n(a) n(c)");
  EXPECT_EQ(cut("a+--b\n-c"), "n(a) o(+) o(-) n(c)");
  EXPECT_EQ(cut("a --"), "n(a)");
}

TEST(SqlTokens, KeepStringsWhole) {
  EXPECT_EQ(cut("'it''s FROM x' a"), "s(it''s FROM x) n(a)");
  EXPECT_EQ(cut(R"(E'it\'s' 'a\')"), R"(s(it\'s) s(a\))");
  EXPECT_EQ(cut(R"('a\'b')", true), R"(s(a\'b))");
  EXPECT_EQ(cut("$$ FROM x $$ a $b$ $$ $b$"), "s( FROM x ) n(a) s( $$ )");
}

TEST(SqlTokens, AreOddWhereTheTextIsNotUnderstood) {
  EXPECT_EQ(cut("a 'b"), "n(a) !('b)");
  EXPECT_EQ(cut("a /* b"), "n(a) !()");
  EXPECT_EQ(cut("a $b"), "n(a) !($b)");
  EXPECT_EQ(cut(R"(U&"d\0061t" x)"), R"(!(U&"d\0061t" x))");
}

// Whatever the text is, the tokens end, and each is a part of it.
TEST(SqlTokens, EndForAnyText) {
  const std::string characters = "a'\"$/*-;.\\eU& \n1:+";
  unsigned seed = 1;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) {
      seed = seed * 1103515245U + 12345U;
      text += characters[(seed >> 16) % characters.size()];
    }
    SqlTokens tokens(text, (round & 1) != 0);
    SqlToken token;
    std::size_t count = 0;
    while (tokens.next(token)) {
      ASSERT_LE(++count, text.size()) << text;
      ASSERT_LE(token.text.size(), text.size()) << text;
    }
  }
}

}  // namespace
}  // namespace metrics_refresh::core
