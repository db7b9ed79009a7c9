# make needs Go and git, nothing else; only race needs a C compiler.
export CGO_ENABLED = 0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s
BENCHTIME ?= 1s
KILL_RUNS ?= 5
SAMPLES = 1.0.0 1.1.0 1.2.0

# Tools are kept in the user's cache, a folder for each version; golangci-lint brings gofumpt and goimports.
GOLANGCI_LINT_VERSION = v2.15.0
TOOLS = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/skiff/tools
GOLANGCI_LINT = $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)/golangci-lint

# The control plane for tests of the Kubernetes deployer; its version is that of testdata/kubernetes/go.mod.
KUBE_VERSION = v1.37.2
KUBE = $(TOOLS)/kube-$(KUBE_VERSION)/kube

.DEFAULT_GOAL = help
.PHONY: help build sample run demo demo-edgegap java test race survive kill-matrix lint fmt bench fuzz kube tools clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

build: ## build bin/skiff, one static binary
	go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o bin/skiff ./cmd/skiff

sample: ## build the sample application into bin/apps, in every version
	@for v in $(SAMPLES); do \
		go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$$v" -o bin/apps/hello-$$v ./testdata/apps/hello || exit 1; \
	done
	@echo "appBase: file://$(CURDIR)/bin/apps" > bin/apps/values.yml

run: build ## build and start the server on 127.0.0.1:7577
	bin/skiff server

demo: build ## install, upgrade, roll back and delete a real application, on a server of its own
	sh testdata/scripts/demo.sh

demo-edgegap: build ## the same with game servers on a fake of Edgegap: no account is needed
	sh testdata/scripts/demo-edgegap.sh

java: build ## java client check: the published Java client against bin/skiff (needs a JDK and Maven)
	sh testdata/clients/java/run.sh

test: ## run the tests; names what this machine lacks, whose tests are skipped
	@command -v java >/dev/null || echo 'java is missing: tests that run a jar are skipped'
	@[ -x "$$PG_BIN/postgres" ] || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || \
		echo 'postgres is missing: tests on PostgreSQL are skipped (install postgresql or set PG_BIN)'
	@command -v dockerd >/dev/null && command -v ip >/dev/null && [ "$$(id -u)" = 0 ] || \
		echo 'docker is missing, or we are not root: tests on a Docker engine are skipped (install docker.io and iproute2)'
	@case ",$$SKIFF_TEST_REQUIRE," in *,maven,*) ;; *) \
		echo 'tests that download from Maven Central are skipped (SKIFF_TEST_REQUIRE=maven runs them)';; esac
	@[ -x "$(or $(KUBE_BIN),$(KUBE))" ] || echo 'no control plane of Kubernetes: its tests are skipped (make kube builds one)'
	go test ./...

race: ## run the tests with the race detector (needs a C compiler)
	@command -v gcc >/dev/null || { echo 'the race detector needs a C compiler: install gcc and libc6-dev'; exit 1; }
	CGO_ENABLED=1 go test -race ./...

survive: ## kill a server at every failpoint once, fail platforms and stores in every way, run the whole model
	KILL_RUNS=1 TEST_FULL=1 go test -count=1 -timeout 25m ./cmd/internal/survival
	TEST_FULL=1 go test -count=1 -run TestModel ./server/operation

kill-matrix: ## kill a server at every failpoint, KILL_RUNS=5 times, into bin/kill-matrix.md
	@mkdir -p bin
	KILL_RUNS=$(KILL_RUNS) KILL_TABLE=$(CURDIR)/bin/kill-matrix.md \
		go test -count=1 -timeout 90m -run 'TestKillMatrix' -v ./cmd/internal/survival >bin/kill-matrix.log; \
		status=$$?; head -1 bin/kill-matrix.md; exit $$status

lint: tools ## vet, lint and check the formatting
	go vet ./...
	$(GOLANGCI_LINT) run

fmt: tools ## format the code
	$(GOLANGCI_LINT) fmt

bench: ## run the benchmarks (BENCHTIME=1s)
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

fuzz: ## fuzz each parser for a while (FUZZTIME=30s)
	@grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file func; do \
		echo "$$file $${func#func }"; \
		go test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" </dev/null || exit 1; \
	done

kube: $(KUBE) ## build a control plane of Kubernetes for tests into the user's cache (6 minutes on 2 cores)

$(KUBE): testdata/kubernetes/go.mod testdata/kubernetes/go.sum testdata/kubernetes/kube/main.go
	cd testdata/kubernetes && go build -trimpath -ldflags '-s -w' -o $@ ./kube

tools: $(GOLANGCI_LINT) ## install the tools that lint needs into the user's cache

$(GOLANGCI_LINT):
	GOFLAGS= GOBIN=$(dir $@) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

clean: ## remove bin; the data of servers stays
	rm -rf bin
