# suitesign. `make run` shows it, `make test` tests it; `make help` lists the rest.

PUBLIC_PORT ?= 8080
ADMIN_PORT  ?= 8081
SIM_PORT    ?= 8090

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
LINT    := v2.15.0
OASDIFF := v1.37.0

export CGO_ENABLED ?= 0

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build bin/suitesign and bin/wecomsim
	@mkdir -p bin
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/suitesign ./cmd/wecomsim

# WeCom in a box is one file that needs nothing: for H5 developers without Go.
SIM_FOR ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

.PHONY: sim
sim: ## Build wecomsim for other machines: bin/wecomsim-OS-ARCH
	@mkdir -p bin
	@for p in $(SIM_FOR); do os=$${p%/*}; arch=$${p#*/}; out=bin/wecomsim-$$os-$$arch; [ $$os = windows ] && out=$$out.exe; \
	  echo $$out; GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags '$(LDFLAGS)' -o $$out ./cmd/wecomsim || exit 1; done

.PHONY: run
run: build ## Run everything on this machine: database, simulator, service, a demo corp
	@exec bin/suitesign demo --public-port $(PUBLIC_PORT) --admin-port $(ADMIN_PORT) --sim-port $(SIM_PORT)

# The race detector needs cgo; everything else is built without.
.PHONY: test
test: ## Every test, the browser's too
	@e2e/deps.sh
	CGO_ENABLED=1 go test -race -timeout 15m ./...

.PHONY: test-short
test-short: ## The tests of the rooms only, without the race detector
	go test $$(go list ./... | grep -v /e2e)

# The page's helper. Its dist is committed, so that nothing else here needs Node.
.PHONY: h5
h5: ## Build web/h5/dist (needs Node 20 and npm)
	cd web/h5 && npm ci --no-audit --no-fund && npm run build

.PHONY: test-h5
test-h5: ## The tests of web/h5; fails where its dist is not what the sources make
	cd web/h5 && npm ci --no-audit --no-fund && npm run types && npm test && npm run drift

# What others make of the contract: Redocly's linter, and a client that
# openapi-typescript generates, which tells a story to the built binary.
.PHONY: test-client
test-client: ## The contract linted, and a generated client against the binary (needs Node 20 and npm)
	cd web/api/client && npm ci --no-audit --no-fund && npm run lint && npm run build
	go test -tags client -count=1 ./e2e -run '^TestGeneratedClient$$'

bin/oasdiff-$(OASDIFF):
	@mkdir -p bin
	GOBIN=$(CURDIR)/bin go install github.com/oasdiff/oasdiff@$(OASDIFF)
	@mv bin/oasdiff $@

# With a release, openapi.yaml is copied to released.yaml and breaking-accepted.txt emptied.
.PHONY: breaking
breaking: bin/oasdiff-$(OASDIFF) ## Fail where the contract breaks clients of web/api/released.yaml
	bin/oasdiff-$(OASDIFF) breaking web/api/released.yaml web/api/openapi.yaml --fail-on ERR --err-ignore web/api/breaking-accepted.txt

.PHONY: fuzz
fuzz: ## Each fuzz test for a minute
	@for p in $$(grep -rl '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -rhoE '^func Fuzz[A-Za-z]+' $$p/*_test.go | awk '{print $$2}'); do \
	    echo "== $$p $$f"; go test $$p -run '^$$' -fuzz "^$$f$$" -fuzztime 60s || exit 1; done; done

bin/golangci-lint-$(LINT):
	@mkdir -p bin
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT)
	@mv bin/golangci-lint $@

.PHONY: lint
lint: bin/golangci-lint-$(LINT) ## The linter; it also keeps the floors of the house
	bin/golangci-lint-$(LINT) run ./...
	@cd bench && ../bin/golangci-lint-$(LINT) run ./...

.PHONY: generate
generate: ## Write the generated code again
	go generate ./...

.PHONY: drift
drift: ## Fail where generated code is not what its source generates
	go generate ./web/api
	git diff --exit-code -- web/api

.PHONY: bench
bench: build ## The benchmarks, with a table; some ten minutes
	@cd bench && ./run.sh

.PHONY: bench-full
bench-full: build ## The same in the size of their targets: an hour
	@cd bench && ./run.sh -full

.PHONY: bench-admin
bench-admin: ## Lists of 1,000,000 tenants and an import of 100,000, with a table
	@cd bench && ./run.sh -full admin

.PHONY: clean
clean: ## Remove what was built (not the demo's data under .suitesign)
	rm -rf bin e2e/out
