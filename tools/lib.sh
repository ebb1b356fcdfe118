# Sourced by the tools: where they work, as whom, and how they get a server of their own.
#
#   use_scratch [PART]   sets $scratch, $user, and $bindir and $pg_config of the private installation;
#                        a PART is a scratch tree of its own inside the checkout's
#   lock_scratch
#   copy_sources         the checkout into $scratch/tree
#   build_private        that tree, built and installed into $scratch/pg
#   start_server NAME    an empty server in $scratch/NAME, preloading the extension; sets $socket
#   stop_server NAME
#   as_user COMMAND      runs COMMAND as the unprivileged user, in $scratch
#
# Nothing is installed into the system's PostgreSQL and no server of the system's is touched.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
PG_CONFIG=${PG_CONFIG:-pg_config}
cores=$(nproc)
# What the calling make was told is not for the makes below: they get all they need as arguments.
unset MAKEFLAGS MFLAGS MAKELEVEL

say() { echo "-- $*"; }
die() { echo "$*" >&2; exit 1; }

# PostgreSQL refuses to run as root. So root hands all that runs our code, the compiler and the
# server alike, to the user that the server's package made.
if [ "$(id -u)" = 0 ]; then
  user=postgres
  id "$user" >/dev/null 2>&1 || die "root needs the user \"$user\" to run the server as; make deps"
else
  user=$(id -un)
fi

# Descriptor 9 is the scratch tree's lock: a server must not inherit it.
as_user() {
  if [ "$(id -u)" = 0 ]; then
    (cd "$scratch" && exec runuser -u "$user" -- env HOME="$scratch" TMPDIR="$scratch/tmp" "$@") 9>&-
  else
    (cd "$scratch" && exec env TMPDIR="$scratch/tmp" "$@") 9>&-
  fi
}

# The scratch tree is build/ in the checkout where the unprivileged user can get there. A checkout
# below /root (mode 0700) is out of its reach, and a long path does not fit a socket's address (107
# bytes): then build/ is a symbolic link to a folder of our own below /var/tmp.
use_scratch() {
  local link=$top/build
  exec 9<"$top"
  flock 9  # two may begin at the same time
  if [ -L "$link" ] && [ ! -d "$link" ]; then rm "$link"; fi
  if [ ! -e "$link" ]; then
    scratch=$link
    mkdir "$link"
    if [ "$(id -u)" = 0 ]; then chown "$user:" "$link"; fi
    if [ ${#link} -gt 55 ] || ! (cd / && scratch=/ as_user test -w "$link"); then
      rmdir "$link"
      ln -s "$(mktemp -d /var/tmp/metrics_refresh.XXXXXX)" "$link"
      if [ "$(id -u)" = 0 ]; then chown "$user:" "$link/"; fi
    fi
  fi
  exec 9<&-
  scratch=$(cd "$link" && pwd -P)
  as_user test -w "$scratch" ||
    die "$scratch is not $user's to write: after make demo-stop remove it, then try again"
  if [ $# -gt 0 ]; then
    as_user mkdir -p "$1"
    scratch=$scratch/$1
  fi
  as_user mkdir -p tmp
  command -v "$PG_CONFIG" >/dev/null || die "there is no $PG_CONFIG: make deps"
  bindir=$scratch/pg$("$PG_CONFIG" --bindir)
  pg_config=$bindir/pg_config
}

# PostgreSQL's programs, pg_config among them, find their libraries and files relative to where they
# themselves lie. A copy of the three trees is therefore an installation of its own, and
# `make PG_CONFIG=<the copy's> install` goes into it.
private_installation() {
  local root=$scratch/pg dir
  for dir in --bindir --pkglibdir --sharedir; do
    dir=$("$PG_CONFIG" "$dir")
    as_user mkdir -p "$root$dir"
    as_user rsync -a --delete --exclude=/bitcode "$dir/" "$root$dir/"
  done
  for dir in --includedir --includedir-server; do
    dir=$("$PG_CONFIG" "$dir")
    as_user mkdir -p "$root${dir%/*}"
    [ -e "$root$dir" ] || as_user ln -s "$dir" "$root$dir"
  done
  [ "$("$pg_config" --sharedir)" = "$root$("$PG_CONFIG" --sharedir)" ] ||
    die "this PostgreSQL cannot be copied: its pg_config still points to $("$pg_config" --sharedir)"
}

# Copies what git would commit: sync_sources [RSYNC-OPTION…] TARGET/
sync_sources() {
  rsync -rlpc --delete --exclude=/build --exclude=/.git --filter=':- .gitignore' "$top/" "$@"
}

# A changed file gets the time of its copying, not of its writing: one that was written while the last
# build ran is then newer than that build's objects. Objects stay, so that a second build is a short
# one, unless the server or the Makefile is another.
copy_sources() {
  local owner=() stamp
  if [ "$(id -u)" = 0 ]; then owner=("--chown=$user:$(id -gn "$user")"); fi
  as_user mkdir -p tree
  sync_sources "${owner[@]}" "$scratch/tree/"
  stamp="$("$PG_CONFIG" --version; cksum <"$top/Makefile")"
  if [ "$stamp" != "$(cat "$scratch/tree.stamp" 2>/dev/null)" ]; then
    as_user find tree -name '*.[od]' -delete
    as_user tee tree.stamp <<<"$stamp" >/dev/null
  fi
}

# One build or check at a time in a scratch tree: held until this process ends.
lock_scratch() {
  exec 9>>"$scratch/.lock"
  flock -n 9 || { say "waiting for another make in $scratch"; flock 9; }
}

build_private() { # build_private [SETTING-OF-MAKE…]
  private_installation &&
    as_user make -C tree -s -j"$cores" PG_CONFIG="$pg_config" WERROR=1 "$@" all &&
    as_user make -C tree -s PG_CONFIG="$pg_config" "$@" install >/dev/null
}

start_server() {
  local dir=$scratch/$1
  stop_server "$1"
  as_user rm -rf "$dir"
  as_user mkdir -p -m 700 "$dir"
  socket=$dir
  as_user "$bindir/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --no-locale --no-sync \
    >"$scratch/$1.initdb.log" 2>&1 || { cat "$scratch/$1.initdb.log" >&2; return 1; }
  # No network: the server is reached through its socket, in a folder that only its user and root enter.
  as_user tee -a "$dir/data/postgresql.conf" >/dev/null <<CONF
shared_preload_libraries = 'metrics_refresh'
max_worker_processes = 16
listen_addresses = ''
unix_socket_directories = '$dir'
log_line_prefix = '%m [%p] %b '
CONF
  as_user "$bindir/pg_ctl" -D "$dir/data" -l "$dir/server.log" -s -w start ||
    { tail -20 "$dir/server.log" >&2; return 1; }
}

stop_server() {
  local data=$scratch/$1/data
  [ -f "$data/postmaster.pid" ] || return 0
  as_user "$bindir/pg_ctl" -D "$data" -s -m fast -w stop || [ ! -f "$data/postmaster.pid" ]
}

# psql as the server's superuser; reads no .psqlrc and stops at the first error.
sql() { as_user "$bindir/psql" -X -q -P pager=off -v ON_ERROR_STOP=1 -h "$socket" -U postgres "$@"; }

# Waits until a query answers true: wait_for SECONDS DATABASE QUERY
wait_for() {
  local end=$((SECONDS + $1))
  until [ "$(sql -At -d "$2" -c "$3")" = t ]; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}
