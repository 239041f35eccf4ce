# The front door. `make run` shows the whole pipeline, `make test` proves it; both install what is missing first.
BUILD ?= build
export BUILD

.PHONY: all setup run test test-unit test-flow test-peers check asan fuzz bench clean help
all: setup
	@tools/build $(BUILD)

help:
	@sed -n 's/^## //p' Makefile

## make            install what is missing and build build/pinrail
## make run        the whole way once: posts in, eight answers out
run: all
	@$(BUILD)/pinrail demo

setup:
	@tools/setup build

## make test       unit, flow and kill tests
test: all
	@tools/setup test
	@tools/test all

test-unit: all
	@tools/setup test
	@tools/test unit

test-flow: all
	@tools/setup test
	@tools/test flow

## make test-peers the same against real engines from the registries (delta-rs, Kafka's Java clients)
test-peers: all
	@tools/setup test peers
	@tools/test peers

## make check      formatting, arrows between stages, generated files, sizes
check: all
	@tools/setup test
	@tools/check

## make asan       the same as test under AddressSanitizer and UBSan, with fewer kills
asan:
	@tools/setup build test
	@BUILD=build-asan tools/build build-asan -DSANITIZE=ON
	@BUILD=build-asan PINRAIL_KILLS=$${PINRAIL_KILLS:-10} PINRAIL_KILL_RECORDS=$${PINRAIL_KILL_RECORDS:-60000} tools/test all

## make fuzz       each fuzzer for FUZZ_SECONDS (30)
fuzz:
	@tools/setup build test
	@tools/fuzz

## make bench      the figures, with ratios; writes bench/results
bench: all
	@tools/setup test peers
	@bench/run

clean:
	rm -rf build build-*
