# Thin targets: what they do stands in scripts/ and in the folders' Makefiles.
#
#   make                    the module and agilicus-authority, into build/
#   make demo               starts both, and shows what the module does
#   make test               builds and runs all tests
#   make check              the tests again under sanitizers and valgrind, lint
#   make mutation           breaks what decides, place by place; tests notice
#   make newer-nginx        the tests against a newer nginx
#   make sdk-check          the official Python SDK against the authority
#   make bench              what a token costs, side by side with other ways;
#                           BENCH_QUICK=1 is short
#   make cross-build        compiles all objects for aarch64, armhf and musl
#   make soak               everything at once for SOAK_MINUTES=10
#   make fuzz SECONDS=60    fuzzers, that long each
#   make lint               warnings of two compilers and of static checkers
#   make install            into nginx's module folder, or into MODULES_DIR;
#                           DESTDIR is respected
#   make deb                the Debian package, into build/deb
#   make clean
#
# BUILD=dir puts everything that is built there; NGINX_SRC=dir builds against a
# source tree of nginx in place of Debian's nginx-dev.

override BUILD := $(abspath $(or $(BUILD),build))
export BUILD

JOBS ?= $(shell nproc)
SECONDS ?= 60

MAKEFLAGS += --no-print-directory

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

.NOTPARALLEL:
.PHONY: all module authority unit replay demo test check mutation             \
        newer-nginx cross-build sdk-check bench soak fuzz lint install deb clean          \
        needs-demo needs-test

all: module authority

# all that is missing at once, before anything is built

needs-demo:
	@scripts/dependencies build demo

needs-test:
	@scripts/dependencies build test

module:
	@scripts/dependencies build
	+@scripts/build-module

authority:
	@scripts/dependencies build
	@$(MAKE) -s -C authority BUILD=$(BUILD)

unit:
	@scripts/dependencies build test
	@$(MAKE) -C unit BUILD=$(BUILD) run

replay:
	@scripts/dependencies build test
	@$(MAKE) -C fuzz BUILD=$(BUILD) replay

demo: needs-demo all
	@scripts/demo

test: needs-test all
	+@scripts/test

check: all
	+@scripts/check

mutation: authority
	@scripts/dependencies build test
	@scripts/mutation

newer-nginx: authority
	+@scripts/newer-nginx

cross-build:
	@scripts/cross-build

sdk-check: authority
	@scripts/sdk-check

bench: all
	@bench/run

soak: all
	@scripts/dependencies build test
	@bench/soak

fuzz:
	@scripts/dependencies build check
	@$(MAKE) -C fuzz BUILD=$(BUILD) SECONDS=$(SECONDS) run

lint:
	@scripts/dependencies build check
	@scripts/lint

install: module
	@scripts/install

deb:
	@scripts/dependencies build deb
	@scripts/build-deb

clean:
	rm -rf $(BUILD)
