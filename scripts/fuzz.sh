#!/usr/bin/env bash
# fuzz.sh <duration> runs every fuzz target for that long.
set -euo pipefail

go=${GO:-go}
packages=$("$go" list ./...)
for package in $packages; do
	tests=$("$go" test "$package" -list '^Fuzz')
	for target in $(grep '^Fuzz' <<<"$tests" || true); do
		"$go" test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$1"
	done
done
