#!/usr/bin/env bash
# make demo: the main job on a real server of its own, from CREATE EXTENSION to three logged runs.
# The server stays up, in the scratch tree and without a network port; make demo-stop ends it.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib.sh
use_scratch

if [ "${1:-}" = stop ]; then
  if [ -f "$scratch/demo/data/postmaster.pid" ]; then
    stop_server demo
    say "the demo server has stopped"
  else
    say "no demo server is running"
  fi
  exit 0
fi

lock_scratch
say "building metrics_refresh for $("$PG_CONFIG" --version) in $scratch"
copy_sources
build_private

say "starting a server of its own"
start_server demo
sql -d postgres -c 'CREATE DATABASE demo'
demo() { sql -d demo "$@"; }
say "examples/platform_metrics.sql: accounts, memberships, assets, licenses and the view over them"
demo -f tree/examples/platform_metrics.sql >/dev/null
say "CREATE EXTENSION metrics_refresh: the job refresh-platform-metrics is there, every 5 minutes"
demo -c 'CREATE EXTENSION metrics_refresh'
say "for the demo, every 10 seconds; waiting for three scheduled runs"
demo -c "SELECT metrics_refresh.alter_job('refresh-platform-metrics', schedule => '10 seconds')" >/dev/null
if ! wait_for 90 demo "SELECT count(*) >= 3 FROM metrics_refresh.run_log
                       WHERE job_name = 'refresh-platform-metrics'
                         AND triggered_by = 'schedule' AND status = 'success'"; then
  demo -x -c 'SELECT * FROM metrics_refresh.job_status' \
    -c 'SELECT * FROM metrics_refresh.run_log ORDER BY run_id DESC LIMIT 3' >&2 || true
  tail -n 30 "$scratch/demo/server.log" >&2
  die "there were no three successful runs in 90 seconds"
fi

show() { echo; echo "demo=# $1;"; demo -c "$1"; }
show 'SELECT view_name, status, started_at, duration_ms FROM metrics_refresh_log ORDER BY started_at DESC LIMIT 5'
show 'SELECT * FROM get_metrics_refresh_stats(24)'
show 'SELECT * FROM metrics_refresh.health_check()'

psql=psql
command -v psql >/dev/null || psql=$bindir/psql
say "the server goes on until make demo-stop; to look around:"
echo "$psql -h $socket -U postgres demo"
