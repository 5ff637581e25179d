# Thin targets: their work is done in scripts/ and in the folders' Makefiles.
# "make help" prints the lines that begin with two hashes.

include scripts/paths.mk

override BUILD := $(abspath $(or $(BUILD),build))
export BUILD

JOBS ?= $(shell nproc)
SECONDS ?= 60

MAKEFLAGS += --no-print-directory

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

.NOTPARALLEL:
.PHONY: all help module authority unit replay simulate demo demo-fleet test   \
        check                                                                 \
        mutation                                                              \
        nightly newer-nginx cross-build sdk-check mcp-check fleet-check bench \
        soak fuzz                                                             \
        lint install uninstall deb package-check clean needs-demo needs-test

## all              module and authority; what a bare "make" builds
all: module authority
	@$(if $(filter-out all,$(MAKECMDGOALS)),:,printf 'built %s\n'           \
	    "$$BUILD/ngx_agilicus_token_module.so"                            \
	    "$$BUILD/agilicus-authority")

## help             this list
help:
	@sed -n 's/^## \{0,1\}//p' Makefile

# all missing packages at once, before anything is built

needs-demo:
	@scripts/dependencies build demo

needs-test:
	@scripts/dependencies build test

## module           the module, into BUILD
module:
	@scripts/dependencies build
	+@scripts/build-module

## authority        agilicus-authority, the Tokens API of tests and demo
authority:
	@scripts/dependencies build
	@$(MAKE) -s -C authority BUILD=$(BUILD)

## unit             unit tests of the module
unit:
	@scripts/dependencies build test
	@$(MAKE) -C unit BUILD=$(BUILD) run

## simulate         the seeded simulation, for SECONDS=60; SEED=7 replays one
simulate:
	@scripts/dependencies build test
	@$(MAKE) -C simulation BUILD=$(BUILD)                                  \
	    $(if $(SEED)$(SCHEDULES),,SECONDS=$(SECONDS)) run

## replay           the corpora of the fuzzers, without fuzzing
replay:
	@scripts/dependencies build test
	@$(MAKE) -C fuzz BUILD=$(BUILD) replay

## demo             starts both, and shows the module at work
demo: needs-demo all
	@scripts/demo

## demo-fleet       three edges that share a Redis, on this machine
demo-fleet: needs-demo all
	@scripts/dependencies fleet
	@scripts/demo-fleet

## test             builds and runs all tests
test: needs-test all
	+@scripts/test

## check            the tests under sanitizers and valgrind, lint, mutants
check: all
	+@scripts/check

## mutation         breaks the code place by place; a test must fail each time
mutation: authority
	@scripts/dependencies build test
	@mutation/run

## nightly          what takes longer than .ci/run may; two hours
nightly: all
	+@scripts/nightly

## newer-nginx      the tests against a newer nginx
newer-nginx: authority
	+@scripts/newer-nginx

## cross-build      compiles all objects for other machines
cross-build:
	@scripts/cross-build

## sdk-check        the official Python SDK against the authority
sdk-check: authority
	@scripts/sdk-check

## mcp-check        the official Python SDK of MCP as a client
mcp-check: all
	@scripts/mcp-check

## fleet-check      many edges and a Redis: times, and FLEET_RUNS=20 of faults
fleet-check: all
	@scripts/dependencies build test check
	@scripts/run-tests scripts/fleet-check

## bench            the cost of a token, beside other ways; BENCH_QUICK=1 is short
bench: all
	@bench/run

## soak             all at once under load, for SOAK_MINUTES=10
soak: all
	@scripts/dependencies build test
	@bench/soak

## fuzz             the fuzzers, each for SECONDS=60
fuzz:
	@scripts/dependencies build check
	@$(MAKE) -C fuzz BUILD=$(BUILD) SECONDS=$(SECONDS) run

## lint             warnings of two compilers, static checks
lint: module
	@scripts/dependencies build check
	@scripts/lint

## install          the module into nginx's module folder, or into MODULES_DIR
install: module
	@scripts/install

## uninstall        removes the files that "make install" installed
uninstall:
	@scripts/install uninstall

## deb              the Debian packages, into BUILD/deb
deb:
	@scripts/dependencies build deb
	@scripts/build-deb

## package-check    the packages in clean roots of Debian 12 and 13; as root
package-check:
	@scripts/package-check

## clean            removes BUILD
clean:
	@scripts/clean

##
## Variables:
## BUILD=build      the folder for all that is built
## NGINX_SRC=       a source tree of nginx, in place of Debian's nginx-dev
## MODULES_DIR=     the module folder of an nginx that is not Debian's
## DESTDIR=         is put before all paths of install and uninstall
## JOBS=            how many jobs run at once; by default one a processor
