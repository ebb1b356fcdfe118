// Crontabs, and the command lines in them.

#include "core/import/crontab.hpp"

#include <gtest/gtest.h>

#include "core/import/psql_command.hpp"
#include "core/import/shell_words.hpp"

namespace metrics_refresh::core::test {
namespace {

using Words = std::vector<std::string>;

TEST(Crontab, LinesOfEveryKind) {
  const std::vector<CrontabEntry> entries = read_crontab(
      "# nightly\n\nSHELL=/bin/sh\nMAILTO = \"a=b@c.de\"\n  0 3 * * *\tpsql -c 'SELECT 1'  \r\n"
      "CRON_TZ='Europe/Berlin'\nPGDATABASE=app\n@daily  echo 50\\% off%input%more\n"
      "TZ=\n30 7 * * mon-fri true");
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].line, 5);
  EXPECT_EQ(entries[0].schedule, "0 3 * * *");
  EXPECT_EQ(entries[0].command, "psql -c 'SELECT 1'");
  EXPECT_EQ(entries[0].timezone, "");
  EXPECT_FALSE(entries[0].has_input);
  EXPECT_EQ(entries[1].line, 8);
  EXPECT_EQ(entries[1].schedule, "@daily");
  EXPECT_EQ(entries[1].command, "echo 50% off");
  EXPECT_TRUE(entries[1].has_input);
  EXPECT_EQ(entries[1].timezone, "Europe/Berlin");
  EXPECT_EQ(entries[1].database, "app");
  EXPECT_EQ(entries[2].line, 10);
  EXPECT_EQ(entries[2].timezone, "Europe/Berlin");  // TZ is for the command alone
  EXPECT_EQ(entries[2].variable, "");
}

TEST(Crontab, SettingsThatPsqlGoesBy) {
  for (const char* const name : {"PGHOST", "PGOPTIONS", "PGSERVICE"})
    EXPECT_EQ(read_crontab(std::string(name) + "=x\n@daily true")[0].variable, name);
  for (const char* const name : {"PGPASSWORD", "PATH", "PGDATABASE"})
    EXPECT_EQ(read_crontab(std::string(name) + "=x\n@daily true")[0].variable, "");
}

TEST(Crontab, LinesThatAreNone) {
  EXPECT_TRUE(read_crontab("").empty());
  EXPECT_TRUE(read_crontab("\n\n# x\n").empty());
  for (const char* const line : {"0 3 * * *", "@daily", "x", "0 3 * * psql"}) {
    const std::vector<CrontabEntry> entries = read_crontab(std::string("\n") + line);
    ASSERT_EQ(entries.size(), 1U) << line;
    EXPECT_EQ(entries[0].line, 2);
    EXPECT_FALSE(entries[0].reason.empty()) << line;
    EXPECT_TRUE(entries[0].command.empty()) << line;
  }
}

TEST(ShellWords, Quotes) {
  EXPECT_EQ(split_shell_words(R"(a 'b c' "d 'e'" f\ g h'i'"j" '' )").words,
            (Words{"a", "b c", "d 'e'", "f g", "hij", ""}));
  EXPECT_EQ(split_shell_words(R"("a\"b\\c\d\$e" '$x `y` \')").words,
            (Words{"a\"b\\c\\d$e", "$x `y` \\"}));
}

TEST(ShellWords, Redirections) {
  EXPECT_EQ(split_shell_words("a >/dev/null 2>&1").words, Words{"a"});
  EXPECT_EQ(split_shell_words("a >/dev/null 2>&1").output, "");
  EXPECT_EQ(split_shell_words("a>> 'the log' b 2>/dev/null").words, (Words{"a", "b"}));
  EXPECT_EQ(split_shell_words("a>> 'the log' b 2>/dev/null").output, "the log");
  EXPECT_EQ(split_shell_words("a &> f b2").words, (Words{"a", "b2"}));
  EXPECT_EQ(split_shell_words("a 12> f b").words, (Words{"a", "b"}));
}

TEST(ShellWords, RefusesWhatTheShellWouldDo) {
  for (const char* const text :
       {"a | b", "a && b", "a; b", "a < f", "(a)", "a $HOME", "a \"$HOME\"", "a `date`", "a *.sql",
        "a 'b", "a \"b", "a \\", "~/a", "a #b", "a >", "a > | b", "! a", "{ a; }"}) {
    const ShellWords result = split_shell_words(text);
    EXPECT_FALSE(result.reason.empty()) << text;
    EXPECT_TRUE(result.words.empty()) << text;
  }
}

TEST(PsqlCommand, SqlAndConnection) {
  const PsqlCommand one = read_psql_command(
      "/usr/bin/psql -qAtX -h db1 -p5433 --username=app app -c \"SELECT 'x'\" >/dev/null 2>&1");
  EXPECT_EQ(one.reason, "");
  EXPECT_EQ(one.sql, Words{"SELECT 'x'"});
  EXPECT_EQ(one.host, "db1");
  EXPECT_EQ(one.port, "5433");
  EXPECT_EQ(one.user, "app");
  EXPECT_EQ(one.database, "app");
  const PsqlCommand two =
      read_psql_command("psql -v ON_ERROR_STOP=1 -Atc 'a' --command b --command=c -d x u >>log");
  EXPECT_EQ(two.reason, "");
  EXPECT_EQ(two.sql, (Words{"a", "b", "c"}));
  EXPECT_EQ(two.database, "x");
  EXPECT_EQ(two.user, "u");
  EXPECT_EQ(two.output, "log");
  const PsqlCommand three = read_psql_command("psql u -d x -c a");
  EXPECT_EQ(three.database, "x");
  EXPECT_EQ(three.user, "u");
}

TEST(PsqlCommand, RefusesWhatIsNoSql) {
  for (const char* const text :
       {"psql", "psql -f x.sql", "psql --file=x.sql -c a", "psql -c '\\dt'", "psql -c", "psql -l",
        "psql -c a -d 'dbname=x'", "psql -c a postgresql://h/x", "psql -c a --unheard-of",
        "psql a b c -c d", "vacuumdb -a", "", "psql -c \"a\" | mail x", "psql -c \"$SQL\""})
    EXPECT_FALSE(read_psql_command(text).reason.empty()) << text;
  EXPECT_EQ(read_psql_command("postgres psql -c a").reason,
            "it begins with postgres: take out the user's name, which only /etc/crontab has");
  EXPECT_EQ(read_psql_command("PGPASSWORD=x psql -c a").reason,
            "it sets a variable for the command: PGPASSWORD");
}

}  // namespace
}  // namespace metrics_refresh::core::test
