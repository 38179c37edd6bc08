# make test runs everything CI runs and installs what is missing. make help lists the rest.
SHELL := /bin/bash -o pipefail
GO ?= go
FUZZTIME ?= 20s
export GO

# A tool has to be at least as new as the Go whose packages it reads, hence one directory for each version of Go.
TOOLS = $(CURDIR)/.bin/$(shell $(GO) env -C tools GOVERSION)

.NOTPARALLEL:
.PHONY: help test install lint unit cover fmt bench fuzz golden mutate

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

test: install lint unit ## everything CI runs: format, vet, staticcheck, errorlint, tests with -race; nothing is skipped

install: ## install by package name what the tests need and the machine lacks
	@scripts/install.sh

lint: $(addprefix $(TOOLS)/,gofumpt staticcheck go-errorlint) ## format, vet, staticcheck, errorlint
	@scripts/lint.sh $(TOOLS)

unit: ## the tests of every module with -race, shuffled; a skipped test fails the run
	@scripts/test.sh

cover: install ## how much of the walls and the strategies the tests run; fails below 90 %
	@scripts/cover.sh

fmt: $(TOOLS)/gofumpt ## format the code
	$(TOOLS)/gofumpt -w .

bench: ## the paired benchmarks, in five binaries of different layout; five minutes
	@scripts/bench.sh

fuzz: ## every fuzz target for FUZZTIME each (20s)
	@scripts/fuzz.sh $(FUZZTIME)

mutate: ## remove each guard in turn and see a test fail; takes minutes
	$(GO) test -tags mutation -timeout 60m -v ./internal/mutation

golden: ## rewrite the golden files; review the difference like code
	$(GO) test . -run Golden -update
	$(GO) test ./internal/archtest -run Golden -update

# The tools have a module of their own, so that their dependencies stay out of the library's.
$(TOOLS)/%: tools/go.mod tools/go.sum
	@mkdir -p $(@D)
	$(GO) build -C tools -o $@ $$($(GO) list -C tools -f '{{.ImportPath}}' tool | grep '/$*$$')
