#!/bin/sh
# Migrates 1,000 PostgreSQL schemas at a pseudo-terminal and keeps frames of the progress bar, which docs/cli.md shows, in
# tenantcli/testdata/progress.txt. Needs the servers that scripts/install.sh installs.
set -eu
cd "$(dirname "$0")/.."
"${GO:-go}" test ./tenantcli -count 1 -run TestProgressBar -v -args -capture 1000
cat tenantcli/testdata/progress.txt
