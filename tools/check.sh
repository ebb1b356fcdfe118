#!/usr/bin/env bash
# make check: every suite against a private installation, as an unprivileged user. All suites run even
# if one fails; the last line is `N passed, N failed`. check.sh SUITE… runs only these of
# unit, regress, isolation, tap and chinook.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tools/lib.sh
. tools/suites.sh
wanted=${*:-unit regress isolation tap chinook}
wants() { [[ " $wanted " == *" $1 "* ]]; }

# With AddressSanitizer and UndefinedBehaviorSanitizer, always. The same code without them is in the
# extension, which the other suites test.
unit_tests() {
  as_user cmake -S tree -B unit -DMETRICS_REFRESH_SANITIZE=ON &&
    as_user cmake --build unit --target unit_tests -j "$cores" &&
    as_user ctest --test-dir unit --output-on-failure -j "$cores" | grep -v ' Passed '
}

use_scratch
lock_scratch
copy_sources || die "the sources could not be copied to $scratch"
begin_suites

if wants unit; then
  unit_tests >"$logs/unit.log" 2>&1 &
  unit=$!
fi
build_private >"$logs/build.log" 2>&1
built=$?
[ $built = 0 ] || count build $built 0 1 || show 60 "$logs/build.log"

if wants unit; then
  wait $unit
  status=$?
  read -r bad all < <(sed -nE 's/.* ([0-9]+) tests failed out of ([0-9]+)/\1 \2/p' "$logs/unit.log")
  count unit $status $((${all:-0} - ${bad:-0})) "${bad:-0}" || show 80 "$logs/unit.log"
fi

if [ $built = 0 ]; then
  for suite in regress isolation tap; do
    if wants $suite; then run_suite $suite; fi
  done
fi

chinook=${CHINOOK_SQL:-../shared/data/chinook.sql}
if [ $built = 0 ] && wants chinook; then
  if [ -r "$chinook" ]; then
    began=$SECONDS
    CHECK_HAS_BUILT=1 CHINOOK_SQL=$chinook test/real/chinook/run >"$logs/chinook.log" 2>&1
    count chinook $? $(tap_counts "$logs/chinook.log") || show 80 "$logs/chinook.log"
  else
    say "chinook: left out, there is no Chinook data at $chinook"
  fi
fi

closing_line
