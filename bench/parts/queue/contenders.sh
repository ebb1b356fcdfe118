# Sourced by bench/queue: the contenders, and what they need.
#
#   find_node, build_tools, make_templates   once
#   has CONTENDER                            is it taking part?
#   node_in NAME DATABASE SCRIPT ARGUMENTS…  runs a script of this folder at a server
#   left_out                                 what the report says about contenders that are missing

node='' left_out=()

has() { [[ " $contenders " == *" $1 "* ]]; }

leave_out() { # REASON CONTENDER…
  local reason=$1 name
  shift
  for name; do
    has "$name" || continue
    contenders=" $contenders "
    contenders=${contenders/ $name / }
    left_out+=("$name is left out: $reason")
  done
}

# pg-boss 12 needs Node 22, which npm has as a package; without it, npm takes a pg-boss for the Node that
# is there. Everything lies below build/bench/node.
find_node() {
  has graphile || has pgboss || return 0
  command -v node >/dev/null || { leave_out 'there is no node' graphile pgboss; return 0; }
  command -v npm >/dev/null || { leave_out 'there is no npm' graphile pgboss; return 0; }
  local dir=$scratch/bench/node packages=('graphile-worker@~0.17.0' 'pg@8') machine
  machine=$(node -p 'process.platform + "-" + process.arch')
  as_user mkdir -p "$dir"
  as_user tee "$dir/package.json" <<<'{ "private": true }' >/dev/null
  if [ "$(node -p 'parseInt(process.versions.node)')" -ge 22 ]; then
    node=$(command -v node)
    packages+=('pg-boss@12')
  elif install_packages "$dir" "node-$machine@22"; then
    node=$dir/node_modules/node-$machine/bin/node
    packages+=('pg-boss@12')
  else
    node=$(command -v node)
    packages+=('pg-boss@>=9')
  fi
  install_packages "$dir" "${packages[@]}" ||
    leave_out "npm could not install it, see $dir/npm.log" graphile pgboss
}

install_packages() { # FOLDER PACKAGE…
  local dir=$1
  shift
  as_user npm install --prefix "$dir" --no-audit --no-fund --loglevel=error "$@" >"$raw/npm.log" 2>&1
}

node_in() { # NAME DATABASE SCRIPT ARGUMENTS…
  local server=$1 database=$2 script=$3
  shift 3
  as_user env PGHOST="$scratch/$server" PGUSER=postgres PGDATABASE="$database" "$node" "bench/node/$script" "$@"
}

build_tools() {
  local source=bench/parts/queue
  as_user mkdir -p bench/tools
  as_user gcc -O2 -fPIC -shared -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers \
    -isystem "$("$pg_config" --includedir-server)" -o "pg$("$PG_CONFIG" --pkglibdir)/bounds.so" "tree/$source/bounds.c"
  as_user gcc -O2 -Wall -Wextra -Werror -isystem "$("$PG_CONFIG" --includedir)" -o bench/tools/listener \
    "tree/$source/listener.c" -L"$("$PG_CONFIG" --libdir)" -lpq
  [ -z "$node" ] || as_user cp "tree/$source/graphile.mjs" "tree/$source/external.mjs" bench/node/
}

make_templates() {
  local source=$top/bench/parts/queue
  turn others
  others postgres -c 'CREATE DATABASE plain_base'
  others plain_base <"$source/plain.sql"
  if has graphile; then
    others postgres -c 'CREATE DATABASE graphile_base'
    node_in others graphile_base graphile.mjs prepare
  fi
  if has pgboss; then
    others postgres -c 'CREATE DATABASE pgboss_base'
    node_in others pgboss_base external.mjs pgboss prepare
    pgboss_version=$(node_in others postgres external.mjs version)
  fi
  turn ours
  ours postgres -c 'CREATE DATABASE report' -c 'CREATE DATABASE ours_base'
  ours ours_base -c 'CREATE EXTENSION metrics_refresh' \
    -c 'SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job' >/dev/null
  if has ours; then ours ours_base <"$source/ours.sql"; fi
}

# Jobs a second, as pgbench counts transactions.
pgbench_in() { # NAME DATABASE OPTIONS…
  local server=$1 database=$2
  shift 2
  as_user "$bindir/pgbench" -n -h "$scratch/$server" -U postgres "$@" "$database" >"$raw/pgbench.log" 2>&1 ||
    { cat "$raw/pgbench.log" >&2; return 1; }
  sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$raw/pgbench.log"
}
script() { echo "$scratch/tree/bench/parts/queue/$1"; }
