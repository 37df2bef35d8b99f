# kubesim. `make` lists what can be made; every target works offline once the
# module cache, and npm's, are warm.

GO ?= go
# golangci-lint is built from its module by `go run`: nothing to install.
GOLANGCI_LINT := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# RACE=1 builds the tests, and the kubesim that they run, with the race detector.
race := $(if $(RACE),-race)

# Binaries are stripped and reproducible: no path of the machine is in them.
# grpcnotrace leaves out golang.org/x/net/trace, whose html/template keeps every
# exported method of the binary alive: 103 MB instead of 75.
build_flags := -trimpath -tags grpcnotrace -ldflags '-s -w'

# What the linker must tell upstream's binaries of their release, or they
# believe that they are v0.0.0 and compare themselves with the server by that.
release = $(shell awk '$$1 == "k8s.io/kubernetes" { print $$2; exit }' go.mod)
release_vars = gitVersion=$(release) gitMajor=$(word 1,$(subst ., ,$(release:v%=%))) \
	gitMinor=$(word 2,$(subst ., ,$(release))) gitTreeState=clean gitCommit=unknown
release_ldflags = $(foreach package,k8s.io/component-base/version k8s.io/client-go/pkg/version, \
	$(foreach var,$(release_vars),-X $(package).$(var)))

.PHONY: help
help: ## Show this list (default)
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: bin/kubesim bin/kubectl ## Build bin/kubesim, and the release's own kubectl into bin/kubectl

# Go knows best whether bin/kubesim is up to date.
.PHONY: bin/kubesim
bin/kubesim:
	@echo "building bin/kubesim (minutes, the first time)" >&2
	@$(GO) build $(build_flags) -o $@ ./cmd/kubesim

bin/kubectl: go.mod
	$(GO) build -trimpath -ldflags '-s -w $(release_ldflags)' -o $@ k8s.io/kubernetes/cmd/kubectl

# A real etcd, for the tests of clusters that several servers share.
bin/etcd: go.mod
	$(GO) build -trimpath -ldflags '-s -w' -o $@ go.etcd.io/etcd/server/v3

.PHONY: run
run: bin/kubesim ## Start a cluster; ARGS='--clock auto --seed 7' passes flags; Ctrl-C ends it
	@exec bin/kubesim serve $(ARGS)

# What plays a cluster much, again and again, to see that the same comes of it. One
# goroutine does nearly all of that: the race detector makes it ten times as dear, and
# finds nothing there that it does not find in the other scenarios and workloads.
# So with what measures steps, memory or damaged files, and reads megabytes of schemas. RACE=1 runs these without it.
unraced_e2e = TestSameSeedSameCluster|TestScenariosRepeat|TestRandomScenariosRepeat|TestARestartChanges.*|TestRewindRepeats|TestFinishedPodsHaveNoAddress|TestPodsShareOneMemory
unraced_testcluster = TestNothingRunsAway|TestRealDefinitions
unraced_program = TestTheMeterSees.*|TestAGreedyProgramIsBounded|TestEveryHolderIsCharged
unraced_storage = TestAFlippedBitNeverGivesWrongData|TestListsShareLargeObjects|TestWhatObserversHoldIsNotDecodedAgain|TestALargeListIsTurnedAwayInTheEnd|TestPagesOfLargeObjectsAreCounted|TestLargeObjectsAreHeldOnce
unraced = ^($(unraced_e2e)|$(unraced_testcluster)|$(unraced_program)|$(unraced_storage))$$

# What needs no built binary, and is ours: upstream's own suites take minutes. -short
# draws less at random and takes smaller data. What this leaves out, `make test` has: tests
# that measure steps, memory or large data, and three packages that link a whole server for
# a few tests. Linking is most of what this costs. The longest come first: at the end a core
# would have nothing else to do.
unit_longest = ./kubelet-sim/program ./storage ./internal/cluster ./apiserver
unit_dear = $(unraced_program)|$(unraced_storage)|TestLargeListsWaitForEachOther|TestSmallListsDoNotWait|TestOneDecodeServesAllWatchers|TestAThousandWatchersLoseNothing|TestALogIsChargedAsLongAsTheStoreHasIt|TestAGlobIsAccountedFor
unit_elsewhere = -e /e2e -e /docs/ -e /internal/handlers -e /internal/recording -e /cmd/
.PHONY: unit
unit: ## The fast loop: tests that need no built binary, without upstream's suites and what measures large data; RACE=1 finds races
	$(GO) test -vet=off -short -timeout 10m $(race) $(TESTFLAGS) -skip 'Upstream|Conform|^($(unit_dear))$$' $(unit_longest) $$($(GO) list ./... | grep -v $(unit_elsewhere))

.PHONY: test
test: bin/kubectl bin/etcd ## Everything that must hold: units, storage suites, e2e scripts; RACE=1 finds races, TESTFLAGS=-short is quick
	$(GO) test -vet=off -timeout 60m $(race) $(if $(RACE),-skip '$(unraced)') $(TESTFLAGS) ./...
ifdef RACE
	$(GO) test -vet=off -timeout 60m $(TESTFLAGS) -run '$(unraced)' ./e2e ./e2e/testcluster ./kubelet-sim/program ./storage
endif

.PHONY: upstream
upstream: bin/etcd ## Only what is upstream's own: unit tables, registry and integration tests, all suites, and random workloads under its controllers; minutes
	$(GO) test -vet=off -v -timeout 30m -run Upstream $(TESTFLAGS) ./controllers/... ./storage $$($(GO) list ./e2e/... | grep -v /e2e/upstream)
	$(GO) test -vet=off -v -timeout 60m -run Upstream $(TESTFLAGS) ./e2e/upstream -upstream.all

.PHONY: differential
differential: ## Play 20,000 random Jobs and 5,000 other workloads under upstream's controllers and ours: WORKLOADS=n, APPLICATIONS=n, SEED=n to replay; hours
	$(GO) test -vet=off -v -timeout 12h $(race) ./e2e/differential -differential.workloads=$(or $(WORKLOADS),20000) -differential.applications=$(or $(APPLICATIONS),5000) -differential.seed=$(or $(SEED),1)

# What runs a build for arm64 here, if anything does; ARM64=1 needs it.
qemu = qemu-aarch64
emulated = $(if $(ARM64),-repeat.emulated='$(qemu) $(CURDIR)/bin/kubesim-arm64')

.PHONY: determinism
determinism: bin/kubectl $(if $(ARM64),bin/kubesim-arm64) ## Play each scenario 50 times, and 200 random ones: RUNS=n, SCENARIOS=n, SEED=n to replay; ARM64=1 emulates that too; minutes
	$(GO) test -vet=off -v -timeout 4h -parallel 8 $(race) -run 'ScenariosRepeat' ./e2e -repeat.runs=$(or $(RUNS),50) -repeat.scenarios=$(or $(SCENARIOS),200) -repeat.seed=$(or $(SEED),1) $(emulated)

.PHONY: bin/kubesim-arm64
bin/kubesim-arm64:
	@command -v $(qemu) >/dev/null || { echo "ARM64=1 needs $(qemu), from Debian's package qemu-user" >&2; exit 1; }
	@echo "building bin/kubesim-arm64 (minutes, the first time)" >&2
	@GOARCH=arm64 CGO_ENABLED=0 $(GO) build $(build_flags) -o $@ ./cmd/kubesim

.PHONY: torture
torture: bin/kubectl ## Kill a durable server 200 times while clients write: KILLS=n, SEED=n to replay; minutes
	$(GO) test -vet=off -v -timeout 2h $(race) -run '^TestKilledServersKeepTheirPromises$$' ./e2e -torture.kills=$(or $(KILLS),200) -torture.seed=$(or $(SEED),1)

# What attacks a server that people use: its host, its Pods' neighbours, its end, its pools, its promises.
attacks = TestAttacks|TestAttackersHoldUpNobody|TestAJobBesideHostilePods|TestPodsShareOneMemory|TestAServerEndsWhateverItsClientsDo|TestARestartChangesNoPool|TestKilledServersKeepTheirPromises

.PHONY: attack
attack: bin/kubectl ## Attack the host, the server and the rights of others in all ways there are, and count what held: SCALE=1 (a sample) to 10, KILLS=n, RUNS=n, SEED=n to replay; half an hour
	$(GO) test -vet=off -v -timeout 2h $(race) -run '^($(attacks))$$' ./e2e -close.scale=$(or $(SCALE),10) \
		-attack.scale=$(or $(SCALE),10) -attack.seed=$(or $(SEED),1) -torture.kills=$(or $(KILLS),50) -torture.seed=$(or $(SEED),1)
	$(GO) test -vet=off -timeout 2h $(race) -run '^TestManyClientsAreRecordedAsTheyWere$$' ./internal/recording -record.runs=$(or $(RUNS),1000) -record.seed=$(or $(SEED),1)

.PHONY: golden
golden: bin/kubectl ## Rewrite the golden files of e2e/ and e2e/testcluster/; commit one only if you can say why it changed
	$(GO) test -vet=off ./e2e -update
	$(GO) test -vet=off ./e2e/testcluster -testcluster.update

.PHONY: lint
lint: ## Run golangci-lint (.golangci.yml has the reason of each rule)
	@$(GOLANGCI_LINT) run ./... || { echo "lint: 'make fmt' repairs findings of gofmt and goimports; the others say what to do" >&2; exit 1; }

.PHONY: fmt
fmt: ## Format with gofmt and goimports
	$(GOLANGCI_LINT) fmt

.PHONY: tidy
tidy: ## Check that go.mod and go.sum are tidy
	@$(GO) mod tidy -diff || { echo "tidy: 'go mod tidy' repairs this" >&2; exit 1; }

.PHONY: generate
generate: ## Make deep copies and OpenAPI of kubesim's own API types anew
	$(GO) generate ./apiserver/apis/...

.PHONY: clean-tree
clean-tree:
	@test -z "$$(git status --porcelain)" || { git status --short; echo "verify: commit or remove these files" >&2; exit 1; }

.PHONY: verify
verify: ## Before a pull request: tidy, generated code, lint (with format), test, clean tree
	@$(MAKE) --no-print-directory tidy
	@$(MAKE) --no-print-directory generate
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory clean-tree

.PHONY: bench
bench: build ## Measure start, memory, Pods/s, requests/s, latencies
	$(GO) test -vet=off -tags grpcnotrace -run '^$$' -bench . -timeout 30m $(BENCHFLAGS) ./e2e ./storage ./kubelet-sim/...

.PHONY: conformance
conformance: build ## Run upstream's e2e specs: CLASS=jobs (the default), cronjobs, A to D3, all, or FOCUS='a regexp'; in real time
	@RELEASE_LDFLAGS='$(release_ldflags)' e2e/conformance/run

.PHONY: conformance-sample
conformance-sample: ## What CI runs of A and C: 196 specs that pass, in minutes
	@$(MAKE) --no-print-directory conformance CLASS=sample PROCS=6

.PHONY: deviations
deviations: ## List every place where we depart from upstream on purpose
	@git grep -nE 'Deviation:' -- '*.go'
