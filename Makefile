# Everything that can be done here; "make" alone lists it.

GO       ?= go
FUZZTIME ?= 5s
SYSTEMS   = darwin freebsd
STATIC    = CGO_ENABLED=0 $(GO) build -trimpath

# Vet has looked at them before.
TESTFLAGS = -timeout 15m -vet=off

# What takes longest begins first, so that in the end nothing runs alone.
PACKAGES = $(addprefix ./tests/,session job once transports deploy serve docker kernel passwords) ./cmd/deliveryboy ./plugin ./...

# A program built with -race waits for a second when it exits, and the tests start thousands of them.
export GORACE ?= atexit_sleep_ms=0

.PHONY: help
help: ## this list
	@awk -F ' *## *' '/^[a-z]+:.*##/ { sub(/:.*/, "", $$1); printf "  make %-6s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: prepare ## audits this machine through every transport there is
	$(STATIC) -o bin/hostaudit ./examples/hostaudit
	bin/hostaudit

.PHONY: build
build: ## the static command, in bin/
	$(STATIC) -o bin/deliveryboy ./cmd/deliveryboy

.PHONY: test
test: prepare ## vet and test with -race; vet and build for the other systems
	$(GO) vet ./...
	@for system in $(SYSTEMS); do \
		echo "for $$system: vet and build"; \
		GOOS=$$system CGO_ENABLED=0 $(GO) vet ./... && GOOS=$$system CGO_ENABLED=0 $(GO) build -ldflags='-s -w' ./... || exit 1; \
	done
	@if command -v "$$($(GO) env CC)" >/dev/null; then \
		echo '$(GO) test -race ./...'; CGO_ENABLED=1 $(GO) test -race $(TESTFLAGS) $(PACKAGES); \
	else \
		echo 'NOT TESTED with -race: there is no C compiler (apt-get install gcc libc6-dev)'; $(GO) test $(TESTFLAGS) $(PACKAGES); \
	fi

.PHONY: lint
lint: bin/golangci-lint ## gofmt, golangci-lint (vet and staticcheck included)
	@test -z "$$(gofmt -l .)" || { echo 'not formatted, run gofmt -w:'; gofmt -l .; exit 1; }
	cd tests/bench/peers && $(GO) vet .
	bin/golangci-lint run

.PHONY: bench
bench: prepare ## what a call costs, measured here
	$(STATIC) -ldflags='-s -w' -o bin/bench ./tests/bench
	@cd tests/bench/peers && $(STATIC) -ldflags='-s -w' -o ../../../bin/bench-peers . || echo 'without the peers: their modules cannot be had here'
	bin/bench

.PHONY: load
load: ## many clients of a pool that run commands without a pause
	$(STATIC) -ldflags='-s -w' -o bin/load ./tests/load
	bin/load
	bin/load -each

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (5s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u | while read -r dir; do \
		for name in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -c 6-); do \
			echo "$$dir $$name"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" || exit 1; \
		done || exit 1; \
	done

# Installs sudo, sshd, podman, qemu and what else tests/stage lists, where they are missing and it may, and says so.
.PHONY: prepare
prepare:
	@$(GO) run ./tests/stage/install || echo 'going on without; what is not tested for it says so'

bin/golangci-lint: tools/go.mod tools/go.sum
	cd tools && $(STATIC) -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@
