# Every target is safe to run alone. Go is all that is needed for build, run and
# lint; `make test` brings what else the tests use.

GO            ?= go
GOLANGCI      ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null | sed 's/^v//')
LDFLAGS       := -s -w -X main.version=$(VERSION)
TARGETS       := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME      ?= 60s

export CGO_ENABLED ?= 0

.PHONY: build run test unit clients editors lint fmt generate check bench simulate fuzz dist clean

build: ## builds bin/korproxy
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/korproxy ./cmd/korproxy

run: build ## starts the daemon in the foreground
	./bin/korproxy serve

test: unit clients editors ## everything: the Go tests with the race detector, then the real clients and editors

unit:
	@path=$$(./test/tools) && PATH="$${path:+$$path:}$$PATH" CGO_ENABLED=1 $(GO) test -race -timeout 15m ./...

clients: build
	./test/clients/run

editors: build
	./test/editors/run

lint:
	$(GOLANGCI) run ./...

fmt:
	$(GOLANGCI) fmt ./...

generate: ## rewrites guides/reference, and what the editors' clients have of the protocol
	$(GO) run ./cmd/korproxy reference guides/reference

check: lint generate test ## and nothing generated may have changed
	git diff --exit-code

bench: ## prints ratios against a bare reverse proxy
	$(GO) run ./bench

simulate: ## prints what each routing strategy makes of the same day
	$(GO) test ./bench -run TestSimulatedDay -v -count=1

fuzz: ## each target for FUZZTIME
	./test/fuzz $(FUZZTIME)

dist:
	@for t in $(TARGETS); do \
	  os=$${t%/*}; arch=$${t#*/}; ext=; [ $$os = windows ] && ext=.exe; \
	  echo "dist/korproxy-$$os-$$arch$$ext"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/korproxy-$$os-$$arch$$ext ./cmd/korproxy || exit 1; \
	done

clean:
	rm -rf bin dist
