# make test runs everything CI runs and installs what is missing. make help lists the rest.
SHELL := /bin/bash -o pipefail
GO ?= go
BIN := $(CURDIR)/.bin
FUZZTIME ?= 20s

.PHONY: help test lint unit bench fuzz golden fmt

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

test: install lint unit ## everything CI runs: format, vet, staticcheck, errorlint, tests with -race; nothing is skipped

.PHONY: install
install:
	@scripts/install.sh

# The tools have a module of their own, so that their dependencies stay out of the library's.
$(BIN)/%: tools/go.mod tools/go.sum
	@mkdir -p $(BIN)
	$(GO) build -C tools -o $@ $$($(GO) list -C tools -f '{{.ImportPath}}' tool | grep '/$*$$')

lint: $(BIN)/gofumpt $(BIN)/staticcheck $(BIN)/go-errorlint ## format, vet, staticcheck, errorlint
	@bad=$$($(BIN)/gofumpt -l .); if [ -n "$$bad" ]; then echo "not formatted, run make fmt:"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(BIN)/staticcheck ./...
	$(BIN)/go-errorlint -errorf -asserts -comparison ./...

unit: ## the tests, with -race, shuffled; a skipped test fails the run
	@scripts/test.sh $(GO) test -race -shuffle=on -v ./...

bench: ## the paired benchmarks behind docs/benchmarks.md
	$(GO) test -run '^$$' -bench . ./bench

fuzz: ## every fuzz target for FUZZTIME each
	@scripts/fuzz.sh $(FUZZTIME)

golden: ## rewrite the golden SQL; review the difference like code
	$(GO) test . -run Golden -update

fmt: $(BIN)/gofumpt ## format the code
	$(BIN)/gofumpt -w .
