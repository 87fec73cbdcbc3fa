# What a person types. Everything works on a fresh clone with Go, make and the
# system's package manager.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# The race detector needs a C compiler on most systems.
RACE := $(shell command -v cc >/dev/null 2>&1 && echo -race)
TEST := go test -p 2 -timeout 10m
DEMO := # flags of freshet demo: make demo DEMO='--rate 500'
SOAK := 10m
BENCH := # flags of go run ./bench

.PHONY: build test demo bench soak lint fmt generate postgres clean

build: ## bin/freshet
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/freshet ./cmd/freshet

test: postgres ## all tests, on Postgres servers of their own
	$(TEST) $(RACE) ./...

demo: postgres build ## see it work; Ctrl-C ends it and leaves nothing behind
	@bin/freshet demo $(DEMO)

bench: postgres ## what is promised about speed, each figure beside its baseline: make bench BENCH='-only rebuild'
	go run ./bench $(BENCH)

soak: postgres ## the long run of the differential test: make soak SOAK=1h
	FRESHET_SOAK=$(SOAK) go test $(RACE) -timeout 0 -count 1 -v ./projector/soak/...

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
