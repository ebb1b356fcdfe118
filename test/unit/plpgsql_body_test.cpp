// Bodies of PL/pgSQL functions.

#include "core/plpgsql_body.hpp"

#include <gtest/gtest.h>

namespace metrics_refresh::core::test {
namespace {

using Statements = std::vector<std::string>;

TEST(PlpgsqlBody, OfStatementsAlone) {
  const auto body = read_plain_body(
      "\n-- BEGIN; it's\nbegin /* a /* nested */ ; */\n  REFRESH MATERIALIZED VIEW \"a;b\";\n"
      "  REFRESH MATERIALIZED VIEW c; -- the last\n  RETURN 'done;';\nEND;\n");
  ASSERT_TRUE(body);
  EXPECT_EQ(body->statements,
            (Statements{"REFRESH MATERIALIZED VIEW \"a;b\"", "REFRESH MATERIALIZED VIEW c"}));
  EXPECT_EQ(body->returned, "'done;'");
  EXPECT_EQ(read_plain_body("BEGIN a; END")->statements, Statements{"a"});
  EXPECT_EQ(read_plain_body("BEGIN a; RETURN; END f;")->statements, Statements{"a"});
  EXPECT_EQ(read_plain_body("BEGIN a; RETURN; END f;")->returned, "");
}

TEST(PlpgsqlBody, OfAnythingElse) {
  for (const char* const body :
       {"", "a;", "BEGIN a; END; b", "BEGIN a;", "DECLARE x int; BEGIN a; END",
        "<<l>> BEGIN a; END", "BEGIN a /* ; END", "BEGIN a '; END", "BEGIN EXECUTE $x$a$x$; END",
        "BEGIN a; END IF; b", "BEGIN a; END x y;", "END", "BEGINa; END", "BEGIN a E'\\''; END"})
    EXPECT_FALSE(read_plain_body(body)) << body;
}

// Blocks within are no statements that a parser of SQL takes: what is left says so.
TEST(PlpgsqlBody, WithBlocksIsNoSql) {
  EXPECT_EQ(read_plain_body("BEGIN IF a THEN b; END IF; END")->statements,
            (Statements{"IF a THEN b", "END IF"}));
  EXPECT_EQ(read_plain_body("BEGIN a; EXCEPTION WHEN OTHERS THEN b; END")->statements,
            (Statements{"a", "EXCEPTION WHEN OTHERS THEN b"}));
}

}  // namespace
}  // namespace metrics_refresh::core::test
