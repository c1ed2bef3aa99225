# A thin face over meson.  `make demo` and `make test` do everything on a fresh
# Debian 12 machine, packages included; `make help` lists the rest.

BUILD      ?= build
PREFIX     ?= /usr/local
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
WERROR     ?= false
PYTHON     := /usr/bin/python3
E2E_SUBSET ?= not slow
SOURCES     = $(shell git ls-files -co --exclude-standard '*.c' '*.h' 2>/dev/null || find src ctl tests bench -name '*.[ch]')

.PHONY: all build test demo bench article install clean format format-check tidy clang-tidy sanitize fuzz help
.PHONY: packages-build packages-all test-build sanitize-address sanitize-thread

all: build

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -2
	@echo
	@echo "make             build/spliced, build/splicectl and build/splicebench"
	@echo "make demo        starts it, pushes verified traffic through every engine, prints a table (KEEP=1: stays up)"
	@echo "make test        all tests; the last line is 'N passed, N failed, N skipped'"
	@echo "make bench       measures beside haproxy and nginx (splicebench compare; BENCH_ARGUMENTS, default --quick)"
	@echo "make article     repeats the SOCKMAP article's experiment, report in build/article.md"
	@echo "make install     honours DESTDIR, PREFIX ($(PREFIX)), SYSCONFDIR ($(SYSCONFDIR))"
	@echo "make format      clang-format over all C files        make tidy   sizes, layers, banned calls, clang-tidy"
	@echo "make sanitize    unit and end-to-end tests under ASan+UBSan and TSan"
	@echo "make fuzz        each fuzz target for FUZZ_SECONDS (30)"
	@echo "make clean       removes the build directories"

packages-build:
	@tools/setup.sh build
packages-all:
	@tools/setup.sh all

# The programs are built in a folder each; the links give them one place.
build: packages-build
	@tools/build.sh $(BUILD) programs -Dwerror=$(WERROR)

test-build: packages-all
	@tools/build.sh $(BUILD) all -Dwerror=$(WERROR)

test: test-build
	@$(PYTHON) tools/test.py --build $(BUILD)

demo: build
	@$(PYTHON) tools/demo.py --build $(BUILD) $(if $(KEEP),--keep)

bench: test-build
	@$(BUILD)/splicebench compare $(or $(BENCH_ARGUMENTS),--quick)

article: test-build
	@$(PYTHON) bench/article.py --json $(BUILD)/article.json --markdown $(BUILD)/article.md --svg $(BUILD)/article.svg $(ARTICLE_ARGUMENTS)

install: packages-build
	@tools/build.sh $(BUILD) programs -Dprefix=$(PREFIX) -Dsysconfdir=$(SYSCONFDIR)
	DESTDIR=$(abspath $(DESTDIR)) meson install -C $(BUILD) --no-rebuild --quiet

format:
	clang-format -i $(SOURCES)

format-check:
	@clang-format --dry-run -Werror $(SOURCES)

tidy: test-build clang-tidy
	$(PYTHON) tests/tidy/tidy.py

clang-tidy: test-build
	@for source in $(filter src/%.c ctl/%.c,$(SOURCES)); do \
		grep -qF "/$$source\"" $(BUILD)/compile_commands.json && echo $$source; done | \
		xargs -P 2 -n 4 clang-tidy -p $(BUILD) --quiet --warnings-as-errors='*' 2>/dev/null

sanitize: sanitize-address sanitize-thread

sanitize-address: packages-all
	@tools/sanitize.sh address,undefined '$(E2E_SUBSET)'
sanitize-thread: packages-all
	@tools/sanitize.sh thread '$(E2E_SUBSET)'

fuzz: packages-all
	@tests/fuzz/run.sh fuzz $(or $(FUZZ_SECONDS),30)

clean:
	rm -rf $(BUILD) build-clang build-asan build-tsan build-fuzz
