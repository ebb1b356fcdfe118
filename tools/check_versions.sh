#!/usr/bin/env bash
# make check-versions: what `make check` does with the server of this Debian, for the PostgreSQL of
# later ones: builds with -Werror, then pg_regress, isolation and, of TAP, what leans most on the
# server, as an unprivileged user; METRICS_REFRESH_TAP=all takes every file. Each version has a root of
# its own; all run at once, or those of METRICS_REFRESH_VERSIONS. The last line is
# `N passed, N failed`.
#
# A root is made once, with apt's set-up of this machine, kept in $METRICS_REFRESH_ROOTS, and only
# read after that. To make one anew, for newer minor versions, remove it. With --where-possible a version
# whose root cannot be made or entered here, as without a network, is left out, and that is said.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tools/lib.sh
# A version that is not released yet is added to an earlier suite. If no mirror of this machine is
# known or has it, the version is left out.
declare -A release=([17]=trixie [18]=forky [19]='forky experimental')
# Extensions that tests look at where they are installed.
declare -A beside=([17]='cron timescaledb' [18]='cron timescaledb pg-ivm' [19]='')
wanted=${METRICS_REFRESH_VERSIONS:-${!release[*]}}
roots=${METRICS_REFRESH_ROOTS:-/var/cache/metrics_refresh}
files=(001_on_time 002_restart 003_kill 005_drop_extension 006_faults 007_dump 008_no_preload 011_standby 021_groups 023_diff 025_incremental 026_skip 027_generated 031_import_pg_cron 043_pg_upgrade 044_restore 045_elsewhere 063_queue_dump 070_queue_standby 081_queue_poison 085_queue_maintenance)
where_possible=
[ "${1:-}" != --where-possible ] || where_possible=1
tap_files=$(printf 'test/t/%s.pl ' "${files[@]}")
[ "${METRICS_REFRESH_TAP:-}" != all ] || tap_files='' SUITE_LIMIT=3h

refuse() {
  echo "-- check-versions: $*"
  if [ "$where_possible" ]; then
    echo '0 passed, 0 failed'
    exit 0
  fi
  echo '0 passed, 1 failed'
  exit 1
}
for version in $wanted; do
  [ -n "${release[$version]:-}" ] || refuse "there is no root for PostgreSQL $version"
done
[ "$(id -u)" = 0 ] || refuse 'only root can make and enter the roots of other Debian releases'
command -v mmdebstrap >/dev/null || refuse 'there is no mmdebstrap'
unshare --mount --pid --ipc --fork --kill-child true || refuse 'this machine lets nobody have namespaces of their own'

packages() {
  awk -v RS= 'NR == 2' tools/packages.txt | awk '!/^#/ { print $1 }' | sed "s/-15$/-$1/"
  printf '%s\n' ${beside[$1]} | sed -n "s/./postgresql-$1-&/p"
}

# The server's -dev package depends on a whole compiler that the build does not need: it is unpacked,
# not installed.
debootstrap() { # debootstrap VERSION ROOT
  local options=() option mirror base later
  read -r base later <<<"${release[$1]}"
  while read -r option; do
    options+=(--aptopt="$option")
  done < <(apt-config dump | grep -E '^Acquire::(Check-|Retries|ForceIPv|https?::)')
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
  timeout 15m mmdebstrap --variant=essential "${options[@]}" \
    --include="$(packages "$1" | grep -v server-dev | paste -sd,)" \
    --setup-hook='mkdir -p "$1/etc/apt/preferences.d"
      printf "Package: src:postgresql-%s\nPin: release a=experimental\nPin-Priority: 990\n" '"$1"' >"$1/etc/apt/preferences.d/server"' \
    --essential-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d" "$1/project"
      echo create_main_cluster = false >"$1/etc/postgresql-common/createcluster.d/none.conf"' \
    --customize-hook="cd \"\$1/tmp\" && export APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG &&
      apt-get download postgresql-server-dev-$1 && dpkg -x postgresql-server-dev-*.deb \"\$1\" &&
      rm postgresql-server-dev-*.deb" \
    "$base" "$2" ${mirror:+"$mirror" ${later:+"deb $mirror $later main"}}
}

# Makes the root of a version unless it is there, whole, and of these packages. Who uses a root holds
# its lock, descriptor 8. Returns 1 if the root cannot be made here, and 2 if it is in use for long.
need_root() {
  local root=$roots/root-$1 recipe
  recipe=$(echo "${release[$1]}"; packages "$1"; declare -f debootstrap)
  exec 8>>"$root.lock"
  flock --shared 8
  is_made() { [ "$recipe" = "$(cat "$root/.complete" 2>/dev/null)" ]; }
  is_made || flock --wait 1800 8 || { echo "-- $root is old, and another check uses it"; return 2; }
  if ! is_made; then
    echo "-- making a Debian ${release[$1]} root with PostgreSQL $1 in $root"
    rm -rf --one-file-system "$root.new"
    debootstrap "$1" "$root.new" >"$root.log" 2>&1 </dev/null || {
      tail -n 10 "$root.log"
      echo "-- this root could not be made; the whole log is $root.log"
      return 1
    }
    echo "$recipe" >"$root.new/.complete"
    rm -rf --one-file-system "$root"
    mv "$root.new" "$root"
  fi
  flock --shared 8
}

# The server of this Debian with the extension, as `make check` has installed it, for 043_pg_upgrade: it
# lies at /mnt inside, with those of its libraries that the root has none of at /srv.
earlier_server() { # earlier_server ROOT LIBRARIES
  local installed=$top/build/pg library file
  [ -n "$(find -L "$installed" -name metrics_refresh.so -print -quit 2>/dev/null)" ] || return 1
  mkdir -p "$2"
  ldd "$installed$(pg_config --bindir)"/{postgres,psql,pg_dump} | awk '$2 == "=>" { print $1, $3 }' | sort -u |
    while read -r library file; do
      [ -e "$1/usr/lib/$(gcc -print-multiarch)/$library" ] || cp -L "$file" "$2/"
    done
  readlink -f "$installed"
}

# Runs the project's own check inside, on a copy of the sources. Its processes have a pid namespace of
# their own: none outlives it. The root is read-only but for what is mounted here.
check_inside() {
  local root=$roots/root-$1 project=$scratch/$1 libraries=$scratch/libraries-$1 earlier
  mkdir -p "$project"
  sync_sources "$project/"
  earlier=$(earlier_server "$root" "$libraries") || say 'there is no earlier server to upgrade from'
  unshare --mount --pid --ipc --fork --kill-child bash -euc '
    mount --bind "$1" "$1"
    mount -o remount,bind,ro "$1"
    mount -t proc proc "$1/proc"
    for dir in tmp dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$1/$dir"; done
    mount --bind "$2" "$1/project"
    if [ "$5" ]; then
      mount --bind "$5" "$1/mnt"
      mount --bind "$7" "$1/srv"
    fi
    chroot "$1" /usr/bin/env -i HOME=/project LC_ALL=C.UTF-8 \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      ${5:+METRICS_REFRESH_EARLIER="/mnt$6" LD_LIBRARY_PATH=/srv} \
      PG_CONFIG="/usr/lib/postgresql/$3/bin/pg_config" TAP_FILES="$4" TAP_JOBS=2 \
      ${8:+SUITE_LIMIT="$8"} \
      /project/tools/check.sh regress isolation tap' \
    check "$root" "$project" "$1" "$tap_files" "$earlier" \
    "$(dirname "$(pg_config --bindir)")" "$libraries" "${SUITE_LIMIT:-}" </dev/null 8>&- 9>&-
}

check_version() {
  need_root "$1"
  local status=$?
  if [ $status = 2 ]; then return 1; fi
  if [ $status != 0 ]; then
    [ "$where_possible" ] || [[ ${release[$1]} == *' '* ]] || return 1
    say "left out"
    echo '0 passed, 0 failed'
    return 0
  fi
  check_inside "$1"
  status=$?
  if [ $status != 0 ]; then echo "-- /project is $scratch/$1"; fi
  return $status
}

mkdir -p "$roots"
use_scratch versions
lock_scratch
versions=$(printf '%s\n' $wanted | sort)
declare -A running
for version in $versions; do
  check_version "$version" >"$scratch/$version.log" 2>&1 &
  running[$version]=$!
done

passed=0 failed=0
for version in $versions; do
  wait "${running[$version]}"
  status=$?
  read -r good bad < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$scratch/$version.log")
  sed -E "/^[0-9]+ passed, [0-9]+ failed\$/d; s/^/PostgreSQL $version: /" "$scratch/$version.log"
  if [ $status != 0 ] && [ "${bad:-0}" = 0 ]; then bad=1; fi
  passed=$((passed + ${good:-0})) failed=$((failed + ${bad:-0}))
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && { [ $passed != 0 ] || [ "$where_possible" ]; }
