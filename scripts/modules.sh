#!/usr/bin/env bash
# Lists the directories of the modules that have packages, the root first.
set -euo pipefail

find . -name go.mod -not -path '*/.*/*' -not -path '*/testdata/*' | sort | while read -r file; do
	dir=$(dirname "$file")
	packages=$("${GO:-go}" list -C "$dir" -e ./... 2>/dev/null)
	[ -z "$packages" ] || echo "$dir"
done
