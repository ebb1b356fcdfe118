# Sourced by check.sh and sanitize.sh: the test suites, each counted and, where it failed, shown. A
# suite that ran nothing counts as failed.
#
#   begin_suites         empties $logs
#   run_suite NAME       one of regress, isolation, tap; needs what build_private makes
#   count …              adds up what else was tested
#   closing_line         `N passed, N failed`; false where anything failed

passed=0 failed=0 began=$SECONDS

begin_suites() {
  tree=$scratch/tree logs=$scratch/log
  rm -rf "$logs" && mkdir -p "$logs"
}

# count SUITE STATUS PASSED FAILED: adds a suite up and says how it went
count() {
  local suite=$1 status=$2 good=${3:-0} bad=${4:-0} why=''
  if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1 why="; ended with status $status"; fi
  if [ $((good + bad)) = 0 ]; then bad=1 why='; it ran nothing'; fi
  passed=$((passed + good)) failed=$((failed + bad))
  say "$suite: $good passed, $bad failed$why ($((SECONDS - began)) s)"
  [ "$bad" = 0 ]
}

show() { # show LINES FILE…: what is there of these files
  local lines=$1 file
  shift
  for file in "$@"; do
    if [ -s "$file" ]; then echo "   $file:"; tail -n "$lines" "$file" | sed 's/^/   | /'; fi
  done
}

# installcheck SUITES-LEFT-OUT…: one of the Makefile's three suites, through its own target. TAP files
# mostly wait, so there is one a core at a time, or $TAP_JOBS; $TAP_FILES names those that are wanted, else
# all are. A suite that hangs is ended after $SUITE_LIMIT.
installcheck() {
  as_user timeout --kill-after=1m "${SUITE_LIMIT:-40m}" make -C tree -s PG_CONFIG="$pg_config" PROVE_FLAGS="--verbose --jobs ${TAP_JOBS:-$cores}" \
    ${TAP_FILES:+PROVE_TESTS="$TAP_FILES"} "$@" installcheck
}

# pg_regress's closing line, as version 15 and as 16 and later write it
regress_counts() {
  sed -nE 's/^# *All ([0-9]+) tests passed.*/\1 0/p; s/^ *All ([0-9]+) tests passed.*/\1 0/p
           s/^[# ]*([0-9]+) of ([0-9]+) tests failed.*/\2 \1/p' "$1" |
    awk '{ print $1 - $2, $2 }' | tail -n 1
}

tap_counts() { # of unindented lines: a subtest counts once
  awk '/^ok /{ good++ } /^not ok /{ if (/# TODO/) good++; else bad++ } END { print good + 0, bad + 0 }' "$1"
}

# What the failed files of prove's summary wrote, and their servers
tap_logs() {
  local name
  sed -nE 's|^test/t/(.*)\.pl +\(Wstat.*|\1|p' "$logs/tap.log" | while read -r name; do
    show 40 "$tree"/tmp_check/log/regress_log_"$name"
    show 20 "$tree"/tmp_check/log/"$name"_*.log
  done
}

run_suite() {
  local log=$logs/$1.log
  began=$SECONDS
  case $1 in
    regress)
      installcheck ISOLATION= TAP_TESTS= >"$log" 2>&1
      count regress $? $(regress_counts "$log") || show 200 "$log" "$tree/regression.diffs" ;;
    isolation)
      installcheck REGRESS= TAP_TESTS= >"$log" 2>&1
      count isolation $? $(regress_counts "$log") ||
        show 200 "$log" "$tree/tmp_check/isolation/regression.diffs" ;;
    tap)
      installcheck REGRESS= ISOLATION= >"$log" 2>&1
      count tap $? $(tap_counts "$log") || { show 60 "$log"; tap_logs; } ;;
  esac
}

# The names of the tests that failed: what is shown of the logs can be longer than what is kept of it.
failed_tests() {
  grep -hE '^ *not ok|\.\.\. FAILED|\*\*\*|\(Wstat' "$logs"/*.log | grep -v '# TODO' | head -n 30
}

closing_line() {
  [ $failed = 0 ] || { failed_tests; say "the logs are in $logs"; }
  echo "$passed passed, $failed failed"
  [ $failed = 0 ]
}
