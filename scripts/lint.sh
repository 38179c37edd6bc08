#!/usr/bin/env bash
# lint.sh <directory of the tools> checks the format of all files, and every module with vet, staticcheck and errorlint.
set -euo pipefail

go=${GO:-go}
unformatted=$("$1/gofumpt" -l .)
if [ -n "$unformatted" ]; then
	printf 'not formatted, run make fmt:\n%s\n' "$unformatted" >&2
	exit 1
fi
modules=$(scripts/modules.sh)
for module in $modules; do
	echo "vet, staticcheck, errorlint in $module"
	(
		cd "$module"
		"$go" vet ./...
		"$1/staticcheck" ./...
		"$1/go-errorlint" -errorf -asserts -comparison ./...
	)
done
