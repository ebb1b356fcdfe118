# Claim and complete from Node in batches of 100, by the same program: pg-boss and ours. Several batches
# under way at once; the best number of them counts for each.

external() {
  local round what
  if [ -z "$node" ]; then say 'left out without Node'; return; fi
  for round in $(seq "$rounds"); do
    for what in $(in_turn "$round" pgboss ours); do
      has "$what" || continue
      for loops in 1 2 4; do "external_of_$what" "$round" "$loops"; done
    done
  done
}

external_of_pgboss() { # ROUND LOOPS
  turn others
  fresh others run pgboss_base
  external_once others pgboss "$@"
}

external_of_ours() {
  turn ours
  fresh_ours run
  external_once ours ours "$@"
}

external_once() { # NAME SYSTEM ROUND LOOPS
  node_in "$1" run external.mjs "$2" fill "$((jobs / 2))"
  "$1" run -c 'VACUUM ANALYZE' -c CHECKPOINT
  record external "$2 $4 at once" "$3" rate "$(node_in "$1" run external.mjs "$2" "$4")"
}
