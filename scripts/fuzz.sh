#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each.
set -euo pipefail

for package in $(go list ./...); do
	for target in $(go test "$package" -list '^Fuzz' | grep '^Fuzz' || true); do
		go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$1"
	done
done
