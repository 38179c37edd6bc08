#!/usr/bin/env bash
# Installs by package name what the tests need and the machine lacks. Go itself is not installed, only asked for.
set -euo pipefail

if ! command -v "${GO:-go}" >/dev/null; then
	echo "missing: Go 1.25 or newer; see https://go.dev/doc/install" >&2
	exit 1
fi

missing=()
# need <command> <package>... asks for the packages when the command is not there.
need() {
	command -v "$1" >/dev/null || missing+=("${@:2}")
}

# SQLite and the race detector are compiled in by a C compiler; libc's headers are not a dependency of gcc.
need gcc gcc libc6-dev
if command -v gcc >/dev/null && ! gcc -E -include stdlib.h -x c /dev/null >/dev/null 2>&1; then
	missing+=(libc6-dev)
fi
# A browser looks at the pages of the example.
command -v chromium chromium-browser google-chrome >/dev/null || missing+=(chromium)

# The servers of the tests; internal/servers starts them by itself. Their programs are not in everybody's PATH.
PATH=$PATH:/usr/sbin:$(printf ':%s' /usr/lib/postgresql/*/bin)
need postgres postgresql
need pgbouncer pgbouncer
need mariadbd mariadb-server
need redis-server redis-server
need nats-server nats-server
need nginx nginx-light

[ ${#missing[@]} -eq 0 ] && exit 0
echo "installing: ${missing[*]}"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	as_root=(sudo)
fi
for tool in apt-get "${as_root[@]}"; do
	if ! command -v "$tool" >/dev/null; then
		echo "no $tool here; install as root with the system's package manager: ${missing[*]}" >&2
		exit 1
	fi
done
# Packages ask this file whether they may start a service: these are not meant to run.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap '"${as_root[@]}" rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
	"${as_root[@]}" chmod +x $policy
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
