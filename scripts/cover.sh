#!/usr/bin/env bash
# cover.sh [percent] runs the tests of the module and says how much of the walls and the strategies they run: the statements of
# the root package, tenantconn and each strategy. It fails where one has less than so many percent (90).
set -euo pipefail

export TENANCY_REQUIRE_ALL=1
go=${GO:-go}
profile=$(mktemp)
trap 'rm -f "$profile"' EXIT
walls=$("$go" list . ./tenantconn ./strategies/... | grep -v strategytest | paste -sd,)
"$go" test -timeout 25m -coverpkg="$walls" -coverprofile="$profile" . ./archive ./catalog ./doctor ./migrate ./retrofit ./strategies/... ./tenantcli ./tenantconn |
	cut -f1-3
# A profile has each block once for each package of tests.
awk -v least="${1:-90}" '
NR > 1 { # file:from,to statements runs
	block = $1; statements[block] = $2; if ($3 > 0) ran[block] = 1
}
END {
	for (block in statements) {
		package = block; sub(/\/[^\/]*$/, "", package)
		all[package] += statements[block]; total += statements[block]
		if (block in ran) { some[package] += statements[block]; sum += statements[block] }
	}
	for (package in all) {
		printf "%5.1f %% of %5d statements  %s\n", 100 * some[package] / all[package], all[package], package | "sort -k6"
		if (100 * some[package] < least * all[package]) low = 1
	}
	close("sort -k6")
	printf "%5.1f %% of %5d statements\n", 100 * sum / total, total
	exit low
}' "$profile"
