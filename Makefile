# SPDX-License-Identifier: BSD-2-Clause
# A face for Meson: every target is one or two commands you could type.

BUILD := build
PREFIX ?= /usr/local
OPTIONS :=

.DEFAULT_GOAL := build
.PHONY: build try check check-hostile check-sanitizers check-programs \
	check-arm64 check-guest bench bench-scale long soak coverage install \
	format tidy fuzz mutants clean help meson-here
.NOTPARALLEL:

# Set up or change the options of $(BUILD).
configure = if [ -e $(BUILD)/build.ninja ]; \
	then verb=configure; else verb=setup; fi; \
	meson $$verb $(BUILD) $(1) $(OPTIONS) >$(BUILD).log 2>&1 || \
	{ cat $(BUILD).log; exit 1; }; rm -f $(BUILD).log

build: meson-here
	@[ -e $(BUILD)/build.ninja ] && [ -z "$(OPTIONS)" ] || \
		{ $(call configure); }
	@ninja -C $(BUILD)

try:
	@scripts/setup
	@$(MAKE) --no-print-directory build
	@scripts/try $(BUILD)

check:
	@scripts/setup
	@scripts/run-checks

check-hostile:
	@scripts/setup
	@scripts/run-checks --hostile

# Which of asan, tsan and msan; none: all.
SANITIZERS :=

check-sanitizers:
	@scripts/setup
	@scripts/run-checks --sanitizers $(SANITIZERS)

# Which pages an arm64 kernel is to have, 4k or 16k: without, check-programs is
# for this machine.  GUEST has more options of check-guest.
PAGES :=
GUEST :=

ifeq ($(PAGES),)
check-programs: build
	@scripts/setup --programs
	@UMA_PRELOAD=$(abspath $(BUILD))/src/libuma_malloc.so.1 \
		scripts/check-programs
else
check-programs:
	@scripts/setup
	@scripts/check-guest aarch64 --pages $(PAGES) --programs $(GUEST)
endif

check-arm64:
	@scripts/setup
	@scripts/check-guest aarch64 --pages $(or $(PAGES),4k) $(GUEST)

check-guest:
	@scripts/setup
	@scripts/check-guest x86_64 --cpus 8 --nodes 2 $(GUEST)

bench: build
	@meson test -C $(BUILD) --benchmark --verbose

bench-scale: build
	@ninja -C $(BUILD) tests/sim/sim_curve || true
	@scripts/bench-scale --build $(BUILD)

long: build
	@meson test -C $(BUILD) --suite long --verbose

soak: build
	@meson test -C $(BUILD) --suite soak --verbose

# A minute for each target, or FUZZ_SECONDS.
fuzz:
	@scripts/fuzz

mutants:
	@scripts/mutants

coverage:
	@scripts/coverage

# DESTDIR is honoured.
install: meson-here
	@$(call configure,-Dprefix=$(abspath $(PREFIX)) -Dlibdir=lib)
	@meson install -C $(BUILD)

format:
	@scripts/check-format --fix

tidy:
	@scripts/run-checks --static

clean:
	rm -rf $(BUILD)

help:
	@echo "make                     build into $(BUILD)/"
	@echo "make try                 install what is missing, build, show it"
	@echo "make check               install what is missing, check all"
	@echo "make tidy                only the checks that read the source"
	@echo "make check-hostile       all tests where what is rare is common"
	@echo "make check-sanitizers    all tests under sanitizers that can run"
	@echo "                         there (SANITIZERS=tsan: under that one)"
	@echo "make check-programs      run real programs on the drop-in malloc"
	@echo "                         (PAGES=16k: in qemu, as check-arm64)"
	@echo "make check-arm64         test on Linux/arm64 in qemu (PAGES=16k)"
	@echo "make check-guest         tests on Debian's own kernel in qemu"
	@echo "make bench               measure"
	@echo "make bench-scale         plot how cost grows"
	@echo "make long                test for many minutes"
	@echo "make soak                test for hours"
	@echo "make fuzz                invent inputs, a minute for each target"
	@echo "make mutants             plant defects that tests must notice"
	@echo "make coverage            which lines of src/ the tests reach"
	@echo "make install PREFIX=DIR  install into DIR ($(PREFIX))"
	@echo "make format              put the source into its shape"
	@echo "make clean               remove $(BUILD)/"
	@echo "OPTIONS='-Dchecked=true' and the like go to meson"

meson-here:
	@command -v meson >/dev/null || { echo >&2 \
	"meson is missing: scripts/setup installs it and all else"; exit 1; }
