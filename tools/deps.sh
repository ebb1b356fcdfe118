#!/usr/bin/env bash
# make deps: installs the packages of tools/packages.txt that are missing; does nothing, fast, when
# none is. Removes nothing, and makes and starts no database cluster of the system's.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t wanted < <(sed 's/#.*//' tools/packages.txt | while read -r package unless program; do
  [ -n "$package" ] || continue
  if [ "$unless" = unless ] && command -v "$program" >/dev/null; then continue; fi
  echo "$package"
done)
if ! command -v dpkg-query >/dev/null; then
  echo "deps: no Debian system; these packages, or what they are called here, have to be there:" >&2
  echo "      ${wanted[*]}" >&2
  exit 0
fi
present=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
mapfile -t missing < <(printf '%s\n' "${wanted[@]}" | grep -vxF "$present" || true)
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "deps: as root: apt-get install ${missing[*]}" >&2; exit 1; }
  sudo=(sudo)
fi
echo "deps: installing ${missing[*]}"

# Debian's server package creates and starts a cluster when it is installed. The drop-in says no for
# the time of this installation; whoever installs another server later gets what Debian does.
dropin=/etc/postgresql-common/createcluster.d/no-cluster-by-make-deps.conf
restore() {
  "${sudo[@]}" rm -f "$dropin"
  "${sudo[@]}" rmdir --ignore-fail-on-non-empty "${dropin%/*}" 2>/dev/null || true
}
if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
  trap restore EXIT
  "${sudo[@]}" mkdir -p "${dropin%/*}"
  echo 'create_main_cluster = false' | "${sudo[@]}" tee "$dropin" >/dev/null
fi

apt() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }
log=$(mktemp)
{ apt update && apt install --no-remove --no-install-recommends -y "${missing[@]}"; } \
  </dev/null >"$log" 2>&1 || { tail -30 "$log" >&2; echo "deps: apt-get failed, see $log" >&2; exit 1; }
rm -f "$log"
