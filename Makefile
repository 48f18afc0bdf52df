# Each task has its line after ##, which `make help` prints.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup check build test race lint fix fmt vet storeys generated generate shots vendor fuzz search real faults bench bench-go clean

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s
CHECKS ?= 1000

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what the tasks need and is missing (PostgreSQL, Chromium, a C compiler, the linter)
	@scripts/setup

check: setup fmt-check vet lint storeys generated race ## everything that must hold before a change lands, as CI runs it

build: ## build the program to bin/lojal: one static file
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/lojal ./cmd/lojal

test: ## run all tests on SQLite and PostgreSQL
	@scripts/test

race: ## the same with the race detector
	@scripts/test -race

lint: ## find suspicious code
	@scripts/setup lint
	.tools/golangci-lint run --allow-parallel-runners ./...

fix: ## mend what the linter can mend by itself
	@scripts/setup lint
	.tools/golangci-lint run --fix ./...

fmt: ## format all Go files
	gofmt -w .

.PHONY: fmt-check
fmt-check:
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "not formatted, run make fmt:"; echo "$$files"; exit 1; fi

vet: ## compile everything without cgo and look for mistakes
	CGO_ENABLED=0 go vet ./...

storeys: ## check that imports point down the storeys
	go test ./internal

generate: ## make generated files again
	go generate ./...

generated: ## check that generated files are up to date
	@scripts/generated

shots: ## take pictures of the pages into shots/, at the width of a phone and of a desktop
	@mkdir -p shots
	LOJAL_SHOTS=$(CURDIR)/shots go test -count=1 ./test/browser

vendor: ## fetch again what pages use of others, at the versions in scripts/vendor
	@scripts/vendor

fuzz: ## fuzz every target, FUZZTIME each (default 30s)
	@scripts/fuzz $(FUZZTIME)

search: ## draw new histories for the tests that draw them, CHECKS each (default 1000)
	@scripts/search $(CHECKS)

bench: build ## measure the program against the limits of this machine, on both databases (BENCH="--quick" and the like)
	LOJAL_PG_FSYNC=on scripts/with-postgres bash -c 'bin/lojal bench --db "$$LOJAL_TEST_POSTGRES" $(BENCH)'

bench-go: ## run the benchmarks of packages
	scripts/with-postgres go test -run '^$$' -bench . -benchmem ./...

real: ## import real purchase data on both databases and prove the books
	@if [ -x scripts/real ]; then scripts/real; else echo "real: skipped, scripts/real is not there"; fi

faults: ## break things around the real program for an hour or so, and prove its promises (FAULTS="--seed 7 --run R05")
	@scripts/faults $(FAULTS)

clean: ## remove what was built
	rm -rf bin dist shots
