# What a person types. Everything works on a fresh clone with Go, make and the
# system's package manager.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# The race detector needs a C compiler on most systems.
RACE := $(shell command -v cc >/dev/null 2>&1 && echo -race)
TEST := go test -p 2 -timeout 10m
DEMO := # flags of freshet demo: make demo DEMO='--rate 500'
SOAK := 10m
SOAKFLAGS := # make soak SOAK=1h SOAKFLAGS='-soak.seed 7 -soak.writers 8 -soak.faults all,-net'; the list: go test ./projector/soak -args -help
CASES := 20000 # of make conformance; behind a colon the seed
TRACE := # a file that a soak has left
MATRIX := # flags of go run ./deploy/testmatrix, and packages
BENCH := # flags of go run ./bench

.PHONY: build test conformance test-matrix demo bench soak soak-replay lint fmt generate postgres clean

build: ## bin/freshet
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/freshet ./cmd/freshet

test: postgres ## all tests, on Postgres servers of their own
	$(TEST) $(RACE) ./...

test-matrix: ## all tests against Postgres 14 to 18, those that are here and those that can be fetched: make test-matrix MATRIX='-versions 14,17 ./projector'
	go run ./deploy/testmatrix $(MATRIX)

conformance: ## fresh random cases, answered by this API and by graphql-js (needs node): make conformance CASES=50000
	cd api/testdata/graphqljs && npm ci --no-audit --no-fund
	FRESHET_CONFORMANCE=$(strip $(CASES)) go test -timeout 0 -count 1 -v -run 'TestConformanceLive$$' ./api

demo: postgres build ## see it work; Ctrl-C ends it and leaves nothing behind
	@bin/freshet demo $(DEMO)

bench: postgres ## what is promised about speed, each figure beside its baseline: make bench BENCH='-only rebuild'
	go run ./bench $(BENCH)

soak: postgres ## the long run of the differential test: make soak SOAK=1h
	FRESHET_SOAK=$(SOAK) go test $(RACE) -timeout 0 -count 1 -v -run 'TestSoak$$' ./projector/soak -args $(SOAKFLAGS)

soak-replay: postgres ## run what led to a divergence again, and shorten it: make soak-replay TRACE=/tmp/soak-7-120000.trace
	go test -timeout 0 -count 1 -v -run 'TestReplay$$' ./projector/soak -args -soak.replay $(abspath $(TRACE)) $(SOAKFLAGS)

lint: ## formatting, vet, staticcheck, go.mod
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff

fmt:
	gofmt -w .

generate: ## write generated files anew
	go generate ./...

postgres:
	@deploy/install-postgres.sh

clean:
	rm -rf bin
