#!/usr/bin/env bash
# Runs the tests given as arguments, shows what failed, and treats a skipped test as a failure.
set -uo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$@" >"$log" 2>&1
status=$?
if [ $status -ne 0 ]; then
	grep -vE '^ *(--- PASS|=== (RUN|PAUSE|CONT|NAME))' "$log"
	exit $status
fi
grep -E '^(ok|\?) |routes:' "$log"
if grep -E '^ *--- SKIP' "$log"; then
	echo "tests were skipped: nothing may be, here" >&2
	exit 1
fi
