#!/usr/bin/env bash
# make sanitize: the server's suites against the module built with AddressSanitizer and
# UndefinedBehaviorSanitizer. A report of theirs counts as a failure, wherever it came from. The last
# line is `N passed, N failed`. sanitize.sh SUITE… runs only these of regress, isolation and tap.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tools/lib.sh
. tools/suites.sh

# The server itself is not instrumented, so the runtime has to be there before it: a script in the
# place of the private installation's postgres preloads it. Clients, perl and make go without.
wrap_server() {
  local runtime
  runtime=$(g++ -print-file-name=libasan.so)
  as_user cc -shared -fPIC -O2 -o swift_demangle.so tree/test/sanitize/swift_demangle.c &&
    as_user mv "$bindir/postgres" "$bindir/postgres.bare" &&
    as_user tee "$bindir/postgres" >/dev/null <<SCRIPT &&
#!/bin/bash
export LD_PRELOAD="$runtime $scratch/swift_demangle.so\${LD_PRELOAD:+ \$LD_PRELOAD}"
export ASAN_OPTIONS='abort_on_error=1 detect_leaks=0 quarantine_size_mb=16 log_path=$reports/asan'
export UBSAN_OPTIONS='print_stacktrace=1'
exec -a "\$0" "\$0.bare" "\$@"
SCRIPT
    as_user chmod +x "$bindir/postgres"
}

use_scratch sanitize
lock_scratch
copy_sources || die "the sources could not be copied to $scratch"
SUITE_LIMIT=3h
export METRICS_REFRESH_SANITIZED=1  # for tests that measure memory
begin_suites
reports=$scratch/reports
rm -rf "$reports" && as_user mkdir "$reports"

build_private SANITIZE=1 >"$logs/build.log" 2>&1 && wrap_server >>"$logs/build.log" 2>&1
built=$?
if [ $built = 0 ]; then
  for suite in ${*:-regress isolation tap}; do
    run_suite "$suite"
    # g++'s UBSan writes to stderr alone, the servers' logs; the next suite removes them.
    grep -rh -A 30 --include='*.log' ': runtime error: ' "$tree/log" "$tree/tmp_check" >"$reports/ubsan.$suite"
  done
  began=$SECONDS
  find "$reports" -type f -empty -delete
  found=$(find "$reports" -type f | wc -l)
  count sanitizers 0 $((found == 0)) "$found" || show 60 "$reports"/*
else
  count build $built 0 1 || show 60 "$logs/build.log"
fi
closing_line
