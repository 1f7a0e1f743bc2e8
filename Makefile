# Everything one does with this repository. `make` lists it.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# The race detector needs a C compiler; the program itself is built without.
export CGO_ENABLED := 0
HAVE_CC := $(shell command -v $${CC:-cc} >/dev/null 2>&1 && echo yes)

# Only what is shipped is compiled for the profile in cmd/spillway: it takes half a minute.
export GOFLAGS := $(GOFLAGS) -pgo=off

# The commit that evidence is about.
export SPILLWAY_REVISION := $(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/spillway
	$(GO) build -pgo=auto -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/spillway ./cmd/spillway

.PHONY: demo
demo: build ## watch Spillway ship logs that it writes itself (DEMO_SECONDS stops it)
	@# In a process group of its own: Ctrl-C is for the demo, which ends well, not for make.
	@set -m; bin/spillway demo || exit $$?

.PHONY: test
test: have-brokers test-race test-plain fuzz ## all tests, with the race detector where a C compiler is there

.PHONY: test-race
test-race:
ifeq ($(HAVE_CC),yes)
	CGO_ENABLED=1 $(GO) test -race -timeout 14m ./...
else
	@echo '*** NO C COMPILER: the tests run without the race detector ***'
	@test "$${SPILLWAY_REQUIRE:-}" != all || { echo 'SPILLWAY_REQUIRE=all: a C compiler is required'; exit 1; }
endif

# Budgets of allocations hold only in the plain build. Without a C compiler these
# are all the tests there are; with one, the packages that have such budgets.
.PHONY: test-plain
test-plain:
ifeq ($(HAVE_CC),yes)
	$(GO) test $$(grep -rl --include='*_test.go' '^//go:build !race' . | xargs -n1 dirname | sort -u)
else
	$(GO) test -timeout 14m ./...
endif

FUZZ_TIME ?= 5s
.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_TIME
	$(GO) run ./internal/testkit/fuzzall -time $(FUZZ_TIME)

.PHONY: check
check: docs ## format, vet, lint, import levels, generated pages, go.mod
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "$$files"; echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags failpoints ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) run $(STATICCHECK) -tags failpoints ./...
	$(GO) test ./internal/houserules
	$(GO) mod tidy -diff
	GOARCH=arm64 $(GO) build ./...
	@stale=$$(git status --porcelain -- docs/reference); test -z "$$stale" || { echo "$$stale"; echo 'these pages were out of date: commit what make docs wrote'; exit 1; }

.PHONY: docs
docs: build ## write docs/reference from the code
	@bin/spillway docs --write docs/reference --source .

.PHONY: microbench
microbench: ## Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

# What cmd/spillway is compiled for (go.dev/doc/pgo): the benchmarks of the data path.
.PHONY: pgo
pgo: ## renew cmd/spillway/default.pgo, which says where time goes
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	for p in pipeline processors/all inputs/file; do \
	  test="$$dir/$${p//\//-}"; $(GO) test -trimpath -c -o "$$test" "./$$p"; \
	  (cd "$$p" && "$$test" -test.run '^$$' -test.bench 'Worker|ThousandLines|BenchmarkRead' -test.benchtime 3s -test.cpuprofile "$$test.prof"); \
	done; \
	$(GO) tool pprof -proto "$$dir"/*.prof > cmd/spillway/default.pgo

.PHONY: bench
bench: build ## throughput beside the bare loop and the peers on this machine, with the ratios that must hold
	$(GO) run ./benchmarks --spillway bin/spillway --scenario s1,s2,s3,s4,isolation --rounds 5 --assert

.PHONY: bench-kafka
bench-kafka: build brokers ## the same to a real Kafka, and while it is away for a minute
	$(GO) run ./benchmarks --spillway bin/spillway --scenario s5 --rounds 5 --assert
	$(GO) run ./benchmarks --spillway bin/spillway --scenario s6 --tools spillway --assert

# SOAK_TIME is how long each part takes that is measured by time: the model, and
# every fuzz target.
PART        ?= kill kafka model fuzz
SOAK_TIME   ?= 10m
SOAK_KILLS  ?= 1000
KAFKA_KILLS ?= 500
EVIDENCE    := $(CURDIR)/docs/evidence
.PHONY: soak
soak: ## the long forms of the tests, with evidence; PART=kill, kafka, model, fuzz or fuzz-PACKAGE; SOAK_TIME, SOAK_KILLS
	@for part in $(PART); do $(MAKE) --no-print-directory soak-$$part; done

.PHONY: soak-kill
soak-kill:
	SPILLWAY_SOAK_KILLS=$(SOAK_KILLS) SPILLWAY_EVIDENCE=$(EVIDENCE) $(GO) test -count=1 -timeout 2h -v -run 'TestExactlyOnceAcrossKill' ./e2e

.PHONY: soak-kafka
soak-kafka: brokers
	SPILLWAY_SOAK_KILLS=$(KAFKA_KILLS) SPILLWAY_EVIDENCE=$(EVIDENCE) $(GO) test -count=1 -timeout 3h -v -run 'TestKafkaExactlyOnce' ./e2e

.PHONY: soak-model
soak-model:
	SPILLWAY_SOAK=$(SOAK_TIME) SPILLWAY_EVIDENCE=$(EVIDENCE) $(GO) test -count=1 -timeout 12h -run 'Model' ./spool

.PHONY: soak-fuzz
soak-fuzz:
	$(GO) run ./internal/testkit/fuzzall -time $(SOAK_TIME) -evidence $(EVIDENCE)

soak-fuzz-%:
	$(GO) run ./internal/testkit/fuzzall -time $(SOAK_TIME) -only $* -evidence $(EVIDENCE)

.PHONY: vuln
vuln: ## known vulnerabilities in the dependencies; needs the vulnerability database
	GOBIN=$(CURDIR)/bin $(GO) install $(GOVULNCHECK)
	@said=$$(bin/govulncheck ./... 2>&1) && code=0 || code=$$?; echo "$$said"; \
	case "$$said" in *'fetching vulnerabilities'*) \
	  echo '*** THE VULNERABILITY DATABASE IS OUT OF REACH: nothing was checked ***'; \
	  test "$${SPILLWAY_REQUIRE:-}" != all;; \
	*) exit $$code;; esac

.PHONY: deps
deps: ## install what the suites need and a bare machine lacks (programs by apt and root, then the brokers)
	$(GO) mod download
	@missing=(); need() { command -v "$$1" >/dev/null || missing+=("$${@:2}"); }; \
	need "$${CC:-cc}" gcc libc6-dev; need java default-jdk-headless; need mvn maven; need kcat kcat; \
	if [ $${#missing[@]} = 0 ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && apt-get install -y -q --no-install-recommends "$${missing[@]}"; \
	else echo "*** missing, and installed only by root with apt: $${missing[*]} ***"; fi
	@$(MAKE) --no-print-directory brokers

.PHONY: brokers
brokers: ## install the real brokers that tests start, in .brokers or SPILLWAY_BROKERS; needs java and mvn
	@internal/testkit/brokers/install.sh

# Tests of packages that pass do not show what they skipped.
.PHONY: have-brokers
have-brokers:
	@missing=$$(internal/testkit/brokers/install.sh --check | xargs); test -z "$$missing" || { \
	  echo "*** NO BROKERS ($$missing): the tests against them are skipped; make brokers installs them ***"; \
	  test "$${SPILLWAY_REQUIRE:-}" != all || { echo 'SPILLWAY_REQUIRE=all: the brokers are required'; exit 1; }; }
