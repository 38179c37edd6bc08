#!/usr/bin/env bash
# Runs the tests of every module, shows what failed, and treats a skipped test as a failure.
set -euo pipefail

export TENANCY_REQUIRE_ALL=1 # whoever would skip for want of a server fails instead
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# check <module> <arguments of go test>
check() {
	local module=$1 status=0
	shift
	"${GO:-go}" test -C "$module" -shuffle=on -timeout 18m -v "$@" 2>&1 | tee "$log" |
		{ grep --line-buffered -E '^(ok|FAIL|\?)[[:space:]]|routes:' || true; } || status=$?
	if [ $status -ne 0 ]; then
		echo "what failed in $module:" >&2
		# A package's output stands between its seed and its result; what stands outside is the compiler's.
		grep -vE '^ *(--- PASS|=== (RUN|PAUSE|CONT|NAME))' "$log" | awk '
			/^-test\.shuffle/ { inside = 1; text = "" }
			inside { text = text $0 "\n" }
			!inside && !/^\?/ { print }
			inside && /^(ok|FAIL)[ \t]/ { if (/^FAIL/) printf "%s", text; inside = 0 }
			END { if (inside) printf "%s", text }' >&2
		exit $status
	fi
	if grep -E -e '--- SKIP' "$log" >&2; then
		echo "tests of $module were skipped: nothing may be, here" >&2
		exit 1
	fi
}

modules=$(scripts/modules.sh)
for module in $modules; do
	check "$module" -race ./...
done

# What a statement allocates is another number with -race, so that the test is not in the binaries above.
check . -run '^TestCounts$' ./bench
grep -q -e '--- PASS: TestCounts' "$log"
