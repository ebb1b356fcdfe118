// Bodies of PL/pgSQL functions.

#include "core/import/plpgsql_body.hpp"

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

TEST(PlpgsqlBody, PartsOfAnyBody) {
  EXPECT_EQ(
      parts_of_body("DECLARE n int := (SELECT 1); BEGIN\n n := f(2); RETURN QUERY SELECT 3; END"),
      (Statements{"(SELECT 1)", "n int := (SELECT 1)", "f(2)", "n := f(2)", "SELECT 3", "END"}));
  EXPECT_EQ(
      parts_of_body("BEGIN IF EXISTS (SELECT a) THEN PERFORM b(); ELSE RETURN c; END IF; END;"),
      (Statements{"EXISTS (SELECT a) ", "b()", "c", "END IF", "END"}));
  EXPECT_EQ(parts_of_body("BEGIN FOR r IN SELECT a FROM b LOOP c := 1; END LOOP; END"),
            (Statements{"SELECT a FROM b ", "1", "c := 1", "END LOOP", "END"}));
  EXPECT_EQ(parts_of_body("BEGIN WHILE a LOOP b; END LOOP; END"),
            (Statements{"a ", "b", "END LOOP", "END"}));
  EXPECT_EQ(parts_of_body(""), Statements{});
  EXPECT_EQ(parts_of_body("BEGIN EXECUTE $x$a$x$; END"), Statements{});
}

}  // namespace
}  // namespace metrics_refresh::core::test
