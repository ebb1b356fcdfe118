#!/usr/bin/env bash
# make fuzz: libFuzzer over the parser of schedules and their due times, with AddressSanitizer and
# UndefinedBehaviorSanitizer, for FUZZ_SECONDS (60). Begins with test/fuzz/corpus and leaves it as it
# is; what it finds stays in the scratch tree.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib.sh
use_scratch
lock_scratch
copy_sources
command -v clang++ >/dev/null || die "the fuzzer needs clang++"
as_user cmake -S tree -B fuzz -DCMAKE_CXX_COMPILER=clang++ -DMETRICS_REFRESH_FUZZ=ON \
  -DMETRICS_REFRESH_SANITIZE=ON >/dev/null
as_user cmake --build fuzz --target schedule_fuzz -j "$cores" >/dev/null
as_user mkdir -p fuzz/found
as_user fuzz/schedule_fuzz -max_total_time="${FUZZ_SECONDS:-60}" -max_len=200 -timeout=2 \
  -print_final_stats=1 -verbosity=0 -artifact_prefix=fuzz/ fuzz/found tree/test/fuzz/corpus
