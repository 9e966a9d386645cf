# The front door. PROFILE=smoke|standard|paper, ARGS=further arguments of `amdahl run` or runtimes.sh,
# FULL=1 builds the analysing program in full optimisation (10-19 minutes instead of about 2).
PROFILE ?= standard
ARGS ?=
ANALYSIS_PROFILE := $(if $(FULL),release,analysis)
AMDAHL := target/release/amdahl

.PHONY: report test check bench compare runtimes build build-harness build-analysis clean

# The verdict is on the terminal before the heavy half is built, and nothing compiles while we measure.
report: build-harness
	$(AMDAHL) run --profile $(PROFILE) $(ARGS)
	@$(MAKE) --no-print-directory build-analysis
	$(AMDAHL) report runs/latest

build: build-harness build-analysis

build-harness:
	@scripts/need.sh cargo cc python3
	cargo build --release --locked -p amdahl -p amdahl-worker

build-analysis:
	@scripts/need.sh cargo cc
	cargo build --profile $(ANALYSIS_PROFILE) --locked -p amdahl-analysis

test:
	@scripts/need.sh cargo cc python3
	cargo test --no-fail-fast --locked --workspace --exclude amdahl-analysis
	cargo test --no-fail-fast --profile analysis --locked -p amdahl-analysis
	python3 -m unittest discover -s harness/workers/python/tests
	scripts/test-lab-quiet.sh
	scripts/test-runtimes.sh

check:
	@scripts/need.sh cargo cc
	scripts/check.sh

compare: build
	$(AMDAHL) compare $(BASE) $(NEW) $(ARGS)

bench: build
	cargo bench --locked -p amdahl-worker -p amdahl -p amdahl-stats
	cargo bench --profile $(ANALYSIS_PROFILE) --locked -p amdahl-analysis

# Runtimes this machine lacks, into .tools/; nothing else needs it.
runtimes:
	@scripts/runtimes.sh $(ARGS)

clean:
	cargo clean
