# Everything one does with this repository. `make` lists it.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION    := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

# The race detector needs a C compiler; the program itself is built without.
export CGO_ENABLED := 0
HAVE_CC := $(shell command -v $${CC:-cc} >/dev/null 2>&1 && echo yes)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/spillway
	$(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/spillway ./cmd/spillway

.PHONY: demo
demo: build ## watch Spillway ship logs that it writes itself (DEMO_SECONDS stops it)
	@bin/spillway demo

.PHONY: test
test: ## all tests, with the race detector where a C compiler is there
	@$(MAKE) --no-print-directory test-suites fuzz

.PHONY: test-suites
test-suites:
ifeq ($(HAVE_CC),yes)
	CGO_ENABLED=1 $(GO) test -race -timeout 15m ./...
	$(GO) test ./record/... ./codec/... ./processors/... ./pipeline/... ./spool/...
else
	@echo "*** NO C COMPILER: the tests run without the race detector ***"
	@test "$${SPILLWAY_REQUIRE:-}" != all || { echo "SPILLWAY_REQUIRE=all: a C compiler is required"; exit 1; }
	$(GO) test -timeout 15m ./...
endif

FUZZTIME ?= 5s
.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME
	@for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9]+' $$pkg/*_test.go | cut -c6-); do \
	    echo "fuzz $$pkg $$target $(FUZZTIME)"; \
	    $(GO) test $$pkg -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) | tail -n 2; \
	  done; \
	done

.PHONY: check
check: ## format, vet, lint, import levels, generated pages, go.mod
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags failpoints ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) test ./internal/houserules
	$(GO) mod tidy -diff
	@$(MAKE) --no-print-directory docs
	@git diff --exit-code -- docs/reference || { echo "docs/reference was out of date: commit what make docs wrote"; exit 1; }
	GOOS=darwin $(GO) build ./... && GOOS=windows $(GO) build ./...

.PHONY: docs
docs: build ## write docs/reference from the code
	@bin/spillway docs --write docs/reference --source .

.PHONY: microbench
microbench: ## Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: bench
bench: build ## throughput beside the bare loop and the peers on this machine, with the ratios that must hold
	$(GO) run ./benchmarks --spillway bin/spillway --scenario s1,s2,s3,s4,isolation --rounds 5 --assert

PART ?= kill model fuzz
.PHONY: soak
soak: ## the long forms of the tests; PART=kill, model or fuzz for one; evidence goes to docs/evidence
	@mkdir -p docs/evidence
	@for part in $(PART); do $(MAKE) --no-print-directory soak-$$part; done

export SPILLWAY_REVISION := $(REVISION)

.PHONY: soak-kill
soak-kill: SPILLWAY_SOAK_KILLS ?= 1000
soak-kill:
	SPILLWAY_SOAK_KILLS=$(SPILLWAY_SOAK_KILLS) SPILLWAY_EVIDENCE=$(CURDIR)/docs/evidence $(GO) test -count=1 -timeout 60m -v -run 'TestExactlyOnceAcrossKill' ./e2e

.PHONY: soak-model
soak-model: SPILLWAY_SOAK ?= 10m
soak-model:
	SPILLWAY_SOAK=$(SPILLWAY_SOAK) SPILLWAY_EVIDENCE=$(CURDIR)/docs/evidence $(GO) test -count=1 -timeout 90m -v -run 'TestModel' ./spool

.PHONY: soak-fuzz
soak-fuzz: FUZZ_SOAK ?= 10m
soak-fuzz:
	$(GO) run ./internal/testkit/fuzzsoak -time $(FUZZ_SOAK) -evidence docs/evidence

.PHONY: vuln
vuln: ## known vulnerabilities in dependencies; needs the vulnerability database
	@$(GO) run $(GOVULNCHECK) ./... || { code=$$?; \
	  if [ $$code -eq 3 ]; then exit 3; fi; \
	  echo "*** VULNERABILITY DATABASE OUT OF REACH: nothing was checked ***"; \
	  test "$${SPILLWAY_REQUIRE:-}" != all; }

.PHONY: deps
deps: ## install what the suites need and a bare machine lacks
	$(GO) mod download
	@if ! command -v $${CC:-cc} >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev; fi
