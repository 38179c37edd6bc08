#!/bin/sh
# Takes the pictures in docs/images from the running example. Needs chromium, which scripts/install.sh installs.
set -eu
cd "$(dirname "$0")/.."
shots=$(mktemp -d)
trap 'rm -rf "$shots"' EXIT
"${GO:-go}" test -C integrations . -count 1 -run 'TestBrowserLaunch/hybrid' -args -screenshots "$shots"
mkdir -p docs/images
for picture in poll results operator; do
	cp "$shots/hybrid-$picture.png" "docs/images/polls-$picture.png"
done
ls -l docs/images
