#!/usr/bin/env bash
# make check: every suite against a private installation, as an unprivileged user. All suites run even
# if one fails; the last line is `N passed, N failed`. A suite that ran nothing counts as failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
tools/deps.sh || exit 1
. tools/lib.sh
use_scratch
lock_scratch
copy_sources || die "the sources could not be copied to $scratch"

tree=$scratch/tree logs=$scratch/log
rm -rf "$logs" && mkdir -p "$logs"
passed=0 failed=0

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

unit_tests() {
  as_user cmake -S tree -B unit -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
    as_user cmake --build unit --target unit_tests -j "$cores" &&
    as_user ctest --test-dir unit --output-on-failure -j "$cores" | grep -v ' Passed '
}
# installcheck SUITES-LEFT-OUT…: one of the Makefile's three suites, through its own target
installcheck() {
  as_user make -C tree -s PG_CONFIG="$pg_config" PROVE_FLAGS=--verbose "$@" installcheck
}
# pg_regress's closing line, as version 15 and as 16 and later write it
regress_counts() {
  sed -nE 's/^# *All ([0-9]+) tests passed.*/\1 0/p; s/^ *All ([0-9]+) tests passed.*/\1 0/p
           s/^[# ]*([0-9]+) of ([0-9]+) tests failed.*/\2 \1/p' "$1" |
    awk '{ print $1 - $2, $2 }' | tail -n 1
}
# What the failed files of prove's summary wrote, and their servers
tap_logs() {
  local name
  sed -nE 's|^test/t/(.*)\.pl +\(Wstat.*|\1|p' "$logs/tap.log" | while read -r name; do
    show 40 "$tree"/tmp_check/log/regress_log_"$name"
    show 20 "$tree"/tmp_check/log/"$name"_*.log
  done
}
tap_counts() { # of unindented lines: a subtest counts once
  awk '/^ok /{ good++ } /^not ok /{ if (/# TODO/) good++; else bad++ } END { print good + 0, bad + 0 }' "$1"
}

began=$SECONDS
unit_tests >"$logs/unit.log" 2>&1 &
unit=$!
build_private >"$logs/build.log" 2>&1
built=$?
[ $built = 0 ] || count build $built 0 1 || show 60 "$logs/build.log"

wait $unit
status=$?
read -r bad all < <(sed -nE 's/.* ([0-9]+) tests failed out of ([0-9]+)/\1 \2/p' "$logs/unit.log")
count unit $status $((${all:-0} - ${bad:-0})) "${bad:-0}" || show 80 "$logs/unit.log"

if [ $built = 0 ]; then
  began=$SECONDS
  installcheck ISOLATION= TAP_TESTS= >"$logs/regress.log" 2>&1
  count regress $? $(regress_counts "$logs/regress.log") ||
    show 200 "$logs/regress.log" "$tree/regression.diffs"

  began=$SECONDS
  installcheck REGRESS= TAP_TESTS= >"$logs/isolation.log" 2>&1
  count isolation $? $(regress_counts "$logs/isolation.log") ||
    show 200 "$logs/isolation.log" "$tree/tmp_check/isolation/regression.diffs"

  began=$SECONDS
  installcheck REGRESS= ISOLATION= >"$logs/tap.log" 2>&1
  count tap $? $(tap_counts "$logs/tap.log") || { show 60 "$logs/tap.log"; tap_logs; }

  chinook=${CHINOOK_SQL:-../shared/data/chinook.sql}
  if [ -r "$chinook" ]; then
    began=$SECONDS
    CHECK_HAS_BUILT=1 CHINOOK_SQL=$chinook test/real/chinook/run >"$logs/chinook.log" 2>&1
    count chinook $? $(tap_counts "$logs/chinook.log") || show 80 "$logs/chinook.log"
  else
    say "chinook: left out, there is no Chinook data at $chinook"
  fi
fi

[ $failed = 0 ] || say "the logs are in $logs"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
