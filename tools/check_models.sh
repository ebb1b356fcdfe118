#!/usr/bin/env bash
# make check-models: checks the protocols of shared memory, as test/models/*.pml describe them, in
# every order of their steps. The last line is `N passed, N failed`.
#
#   tools/check_models.sh [MODEL…]      MODEL: the name of a file, without its folder and .pml
#
# A model counts as passed if no order of steps violates it, in none of the sizes that its comment
# lists (`size: -D…`), and each of its steps is reached in one of them. With MODELS=long there are
# further sizes (`long: -D…`), which take minutes and some GB. Each of its guards, the parts in
# #ifndef NO_…, counts as passed if there is a counterexample without it. It is searched in the sizes,
# one after the other, or in the one that the comment gives it (`NO_…: -D…`). So a model that cannot
# fail, or a guard that guards nothing, is a failure.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
top=$PWD
for tool in spin gcc; do
  command -v "$tool" >/dev/null || { echo "there is no $tool: make deps" >&2; exit 1; }
done
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

passed=0 failed=0
report() { # report STATUS NAME DETAIL: 0 is success
  if [ "$1" = 0 ]; then
    passed=$((passed + 1))
    echo "ok      $2: $3"
  else
    failed=$((failed + 1))
    echo "FAILED  $2: $3"
  fi
}

# Searches all states of a model: search OPTIMIZATION MODEL OPTION… The result is in $out/log. A
# counterexample is mostly found sooner than gcc could optimize the search for it.
search() {
  local level=$1 model=$2
  shift 2
  rm -f "$out"/pan* "$out"/*.trail
  (
    cd "$out" &&
      spin "$@" -a "$top/$model" &&
      gcc "$level" -w -DSAFETY -DCOLLAPSE -DMEMLIM="$memory" -o pan pan.c &&
      ./pan -m200000 -w22
  ) >"$out/log" 2>&1
}

# The steps that the last search has not reached. A process that never ends does not reach its end.
unreached() { grep -E '\.pml:[0-9]+, state' "$out/log" | grep -v '"-end-"' | sed 's/^[[:space:]]*//' | sort -u; }

check_whole() { # check_whole MODEL SIZE…: the model as it is
  local model=$1 name states=0 size
  name=$(basename "$1" .pml)
  shift
  rm -f "$out/unreached"
  for size in "$@"; do
    # shellcheck disable=SC2086  # a size is several options
    search -O1 "$model" $size
    if ! grep -q 'errors: 0$' "$out/log" || grep -qE 'not completed|too small' "$out/log"; then
      show_error "$model" "$size"
      report 1 "$name" "with $size"
      return
    fi
    states=$((states + $(sed -nE 's/^ *([0-9]+) states, stored$/\1/p' "$out/log")))
    unreached >"$out/now"
    if [ -e "$out/unreached" ]; then
      comm -12 "$out/unreached" "$out/now" >"$out/both" && mv "$out/both" "$out/unreached"
    else
      mv "$out/now" "$out/unreached"
    fi
  done
  sed "s|^$top/||; s|^|        never reached: |" "$out/unreached"
  [ ! -s "$out/unreached" ]
  report $? "$name" "$states states"
}

show_error() { # show_error MODEL SIZE: the end of the counterexample, or else the end of the log
  if ls "$out"/*.trail >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    (cd "$out" && spin $2 -t -p -g -l "$top/$1" | sed "s|$top/||" | tail -n 60)
  else
    tail -n 20 "$out/log"
  fi
}

check_guard() { # check_guard MODEL GUARD SIZE…: the model without the guard
  local model=$1 guard=$2 name size found
  name="$(basename "$1" .pml) without ${2#NO_}"
  shift 2
  for size in "$@"; do
    # shellcheck disable=SC2086
    search -O0 "$model" $size "-D$guard"
    found=$(sed -nE 's/^pan:[0-9]+: ((assertion violated|invalid end state).*)$/\1/p' "$out/log")
    if [ -n "$found" ]; then
      report 0 "$name" "$found"
      return
    fi
    # Without an error the search must be complete, or the absence of a counterexample says nothing.
    grep -q 'errors: 0$' "$out/log" || { tail -n 20 "$out/log"; break; }
  done
  report 1 "$name" 'there is no counterexample'
}

# The options in the comment of a model: options MODEL KIND
options() { sed -nE "s/^ \\* $2: (.*)\$/\\1/p" "$1"; }

models=() memory=500
[ "${MODELS:-}" != long ] || memory=4000
for name in "$@"; do models+=("test/models/$name.pml"); done
[ $# -gt 0 ] || models=(test/models/*.pml)
for model in "${models[@]}"; do
  mapfile -t sizes < <(options "$model" size)
  [ ${#sizes[@]} -gt 0 ] || sizes=('-DSIZE=1')
  larger=()
  [ "${MODELS:-}" != long ] || mapfile -t larger < <(options "$model" long)
  check_whole "$model" "${sizes[@]}" "${larger[@]}"
  mapfile -t guards < <(sed -nE 's/^#ifn?def (NO_[A-Z_]+)$/\1/p' "$model" | sort -u)
  for guard in "${guards[@]}"; do
    mapfile -t own < <(options "$model" "$guard")
    [ ${#own[@]} -gt 0 ] || own=("${sizes[@]}")
    check_guard "$model" "$guard" "${own[@]}"
  done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
