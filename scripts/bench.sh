#!/usr/bin/env bash
# Runs the paired benchmarks and sums them up: bench.sh [pattern]. Within one binary a ratio repeats to 0.2 %, but where
# the linker happens to put the functions moves it by 1.5 %. So they run in several binaries, each in another order.
set -euo pipefail

export TENANCY_REQUIRE_ALL=1 # whoever would skip for want of a server fails instead
results=$(mktemp)
trap 'rm -f "$results"' EXIT
for layout in $(seq "${LAYOUTS:-5}"); do
	"${GO:-go}" test -run '^$' -bench "${1:-Build|SQLite|RowLevelSecurity}" -benchtime "${BENCHTIME:-1s}" -ldflags="-randlayout=$layout" ./bench/... | tee -a "$results"
done
[ "$(grep -c '^ok' "$results")" -eq "${LAYOUTS:-5}" ]

awk '
function median(list,   v, n) { n = split(list, v, " "); sort(v, n); return v[int((n + 1) / 2)] }
function range(list,   v, n) { n = split(list, v, " "); sort(v, n); return sprintf("%.3f to %.3f", v[1], v[n]) }
function sort(v, n,   i, k, x) {
	for (i = 2; i <= n; i++) {
		x = v[i] + 0
		for (k = i - 1; k > 0 && v[k] + 0 > x; k--) v[k + 1] = v[k]
		v[k + 1] = x
	}
}
/ ratio/ {
	name = $1; sub(/^Benchmark/, "", name); sub(/-[0-9]+$/, "", name)
	if (!(name in seen)) { seen[name] = 1; names[++count] = name }
	for (i = 4; i <= NF; i += 2) value[name, $i] = value[name, $i] " " $(i - 1)
}
END {
	printf "\n%-28s %7s %16s %8s %16s %10s %8s %6s %8s\n", "medians of the layouts", "ratio", "range", "quartile", "control", "base ns", "plugin", "allocs", "plugin"
	for (i = 1; i <= count; i++) {
		n = names[i]
		base = ((n, "hand-ns") in value) ? "hand" : "none"
		printf "%-28s %7.3f %16s %8.3f %16s %10.0f %8.0f %6d %8d\n", n, median(value[n, "ratio"]), range(value[n, "ratio"]),
			median(value[n, "ratio-q1"]), range(value[n, "control"]), median(value[n, base "-ns"]), median(value[n, "plugin-ns"]),
			median(value[n, base "-allocs"]), median(value[n, "plugin-allocs"])
	}
}' "$results"
