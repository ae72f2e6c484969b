# make run    this host's bytes per application, from a fresh machine
# make test   all tests; make unit those of values alone, without root; make check what CI checks besides
# make bench  the claims of speed
# make build  then make install, which needs no Swift; make uninstall
# make trials the programs' tests TRIALS=5 times over: what hangs on the order of things shows
# make man    the manual's pages and the recorded help, made again: after a flag or its help was changed
# make bpf    the BPF program of Sources/CBPF, compiled and embedded again: after its source was changed
# make fuzz   made-up input for the parsers: RUNS=100000 for each target, in all about a minute

SHELL := /bin/bash
PREFIX ?= /usr/local
PROGRAMS := runmonitor runpipe runaggregator connvitals connmonitor netconnmon tstat_send tstat_cull
BIN = $(DESTDIR)$(PREFIX)/bin
DOC = $(DESTDIR)$(PREFIX)/share/doc/bwmon
MAN = $(DESTDIR)$(PREFIX)/share/man/man1
RELEASE := .build-release
FUZZ := .build-fuzz
FUZZ_TARGETS := conntrack sockets interfaces connector proc lines witness ring channel probes tstat
RUNS ?= 100000
TRIALS ?= 5
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# What a bare Debian 12 lacks: what our modules link (libnetfilter-conntrack-dev: only tests and benchmarks); the compiler's
# headers, start files and linker (g++ brings libstdc++-12-dev and libgcc-12-dev); git for the dependencies; the libraries
# that Swift's own tools are linked with.
BUILD_PACKAGES := libnetfilter-conntrack-dev libmnl-dev libpcre2-dev libbpf-dev libcurl4-openssl-dev \
  librabbitmq-dev libssl-dev zlib1g-dev g++ libc6-dev binutils git \
  ca-certificates libcurl4 libxml2 libsqlite3-0 libncurses6 libuuid1 zlib1g
TEST_PACKAGES := iproute2 nftables conntrack iputils-ping traceroute python3 procps util-linux libcap2-bin binutils curl \
  make systemd nginx-light apache2-utils openssl python3-aiosmtpd rabbitmq-server python3-pika python3-venv \
  groff-base mandoc
BENCH_PACKAGES := haproxy socat nethogs fping tcpdump

# What needs no root: values, decoders, sockets of the loopback. A test that needs more is skipped where that is missing.
UNIT_TESTS := Aggregation|Channel|Diagnosis|Fuzz|HTTPRecords|Hub|INI|Model|Monitors|Netfilter|Notifications|Output
UNIT_TESTS := $(UNIT_TESTS)|Ownership|Patterns|Pipes|Probes|Publishing|Status|SystemRuntime|Tstat

# The programs that probe, and mail: they come apart. More at a time than two processors do makes others late.
PROBE_TESTS := ^(ProbeProgramTests|TstatProgramTests|FakeNetworkTests|CurlTests|ConnectivityMailTests)\.|NetConnMon|AggregatorProbes|AggregatorMail

.PHONY: deps test-deps swift build run unit test trials check man bpf fuzz bench install uninstall clean

deps: swift
	@Tests/Checks/install-packages.sh $(BUILD_PACKAGES)

test-deps: deps
	@Tests/Checks/install-packages.sh $(TEST_PACKAGES)
	@Tests/Checks/install-originals.sh

swift:
	@command -v swift >/dev/null || { \
	  echo "Swift 6.3 or newer is needed and no 'swift' is on PATH: get it from https://www.swift.org/install/linux/"; \
	  echo "(Debian 12, or 'swiftly install 6.3'), put its usr/bin on PATH, and run make again."; exit 1; }

build: deps
	@# The build command takes one product at a time: of several it builds the last. It says something when it fails.
	@set -e; for program in $(PROGRAMS); do echo "Building $$program"; \
	  swift build --quiet -c release --static-swift-stdlib --scratch-path $(RELEASE) --product $$program; done

run: build
	$(SUDO) $(RELEASE)/release/runaggregator --auto-group --app-config samples/group.sample.cfg --enable-tracking

unit: deps
	swift build --build-tests
	@Tests/Checks/run-tests.sh --filter '^($(UNIT_TESTS))Tests\.'

test: test-deps
	swift build --build-tests
	@Tests/Checks/run-tests.sh --filter '$(PROBE_TESTS)'
	@Tests/Checks/run-tests.sh --skip '$(PROBE_TESTS)'

trials: test-deps
	swift build --build-tests
	set -e; for trial in $$(seq $(TRIALS)); do echo "trial $$trial"; BWMON_TRIAL=$$trial Tests/Checks/run-tests.sh --filter ProgramTests; done

check: test-deps
	Tests/Checks/check.sh

man: test-deps
	swift build --build-tests
	BWMON_REGENERATE=1 swift test --skip-build --filter 'HelpTests|ManualTests'

bpf: deps
	Tests/Checks/bpf.sh

# What is found goes to $(FUZZ)/finds; the corpus stays as it is. Swift's own crash report can hang under a fuzzer.
fuzz: deps
	BWMON_FUZZ=1 swift build -c release --sanitize=fuzzer -Xswiftc -enable-testing --scratch-path $(FUZZ) --product fuzz
	@export SWIFT_BACKTRACE=enable=no; for target in $(FUZZ_TARGETS); do \
	  finds=$(FUZZ)/finds/$$target; mkdir -p $$finds; echo "fuzz: $$target"; \
	  BWMON_FUZZ_TARGET=$$target $(FUZZ)/release/fuzz -runs=$(RUNS) -max_len=1024 -timeout=10 -verbosity=0 \
	    -print_final_stats=1 -artifact_prefix=$$finds. $$finds Tests/Fuzz/Corpus/$$target || { \
	    echo "fuzz: again with: BWMON_FUZZ_TARGET=$$target $(FUZZ)/release/fuzz $$finds.crash-..."; exit 1; }; done

bench: test-deps
	@Tests/Checks/install-packages.sh $(BENCH_PACKAGES)
	Tests/Benchmarks/run.sh

# Copies what `make build` has built: neither Swift nor a package manager is asked. README's links need the folders.
install:
	@for program in $(PROGRAMS); do [ -x $(RELEASE)/release/$$program ] || { \
	  echo "There is no $(RELEASE)/release/$$program: run make build first." >&2; exit 1; }; done
	install -d $(BIN) $(MAN) $(DOC)/Docs/decisions $(DOC)/samples
	install -s -m 755 $(PROGRAMS:%=$(RELEASE)/release/%) $(BIN)
	install -m 644 $(PROGRAMS:%=Docs/man/%.1) $(MAN)
	install -m 644 README.md LICENSE $(DOC)
	install -m 644 Docs/*.md $(DOC)/Docs
	install -m 644 Docs/decisions/*.md $(DOC)/Docs/decisions
	install -m 644 samples/* $(DOC)/samples

uninstall:
	rm -f $(PROGRAMS:%=$(BIN)/%) $(PROGRAMS:%=$(MAN)/%.1)
	rm -rf $(DOC)

clean:
	rm -rf .build $(RELEASE) $(FUZZ)
