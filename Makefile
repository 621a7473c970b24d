# Everything a developer or a user of a checkout does, one word each: `make help`.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.stamp

.DEFAULT_GOAL := help
.PHONY: help setup run test machine test-deb deb man matrix check format fixtures lab-up lab-down lab-status lab-env pictures screenshots compare-lxcfs soak soak-machine bench bench-lxfs bench-moves bench-tui bench-day docs clean

help: ## What each target does
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything that running, testing and checking need

$(STAMP): pyproject.toml packaging/bootstrap.sh
	@PYTHON=$(PYTHON) sh packaging/bootstrap.sh $(VENV)
	@touch $@

run: $(STAMP) ## Open the TUI: on your own hosts, else on a lab of real ones, else on the demo
	@$(BIN)/python -m tests.lab.run

test: $(STAMP) ## Install what the tests need, run every rung that can run, end with a table of rungs
	@sh packaging/test-packages.sh
	@$(BIN)/python -m tests.whole

machine: $(STAMP) ## Of the tests, only those in the emulated machine of cgroup v2
	@sh packaging/test-packages.sh
	@LXTUI_MACHINE=$${LXTUI_MACHINE:-all} LXTUI_MACHINE_REQUIRED=1 LXTUI_MACHINE_SECONDS=$${LXTUI_MACHINE_SECONDS:-3600} $(BIN)/python -m pytest tests/machine

deb: $(STAMP) ## Build the Debian packages of lxfs and lxtui into dist/
	@sh packaging/build-deb.sh lxfs dist
	@sh packaging/build-deb.sh lxtui dist

test-deb: $(STAMP) ## Install that package on clean roots of Debian 12 and 13, use it, purge it, as root
	@sh packaging/test-packages.sh
	@LXTUI_DEB=1 LXTUI_DEB_REQUIRED=1 $(BIN)/python -m pytest tests/packaging

man: $(STAMP) ## Write the man pages and the completions of bash, zsh and fish below build/share
	@$(BIN)/python packaging/documents.py build/share

matrix: $(STAMP) ## Break moves between real daemons at every step; writes the table in docs/moves.md (40 minutes)
	@sh packaging/test-packages.sh
	@$(BIN)/python -m tests.migrate.run_matrix

check: $(STAMP) ## Format, lint, types, import directions: what every commit passes
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests packaging/documents.py packaging/vendored.py
	@$(BIN)/lint-imports --no-cache

format: $(STAMP) ## Let ruff format and mend what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lab-up: $(STAMP) ## Start two LXD daemons and one Incus daemon in network namespaces, with containers
	@sh packaging/test-packages.sh
	@$(BIN)/python -m tests.lab up

lab-down: $(STAMP) ## Remove the lab: containers, daemons, namespaces, mounts, files
	@$(BIN)/python -m tests.lab down

lab-status: $(STAMP) ## What of the lab runs
	@$(BIN)/python -m tests.lab status || true

lab-env: $(STAMP) ## Print the shell lines that point lxtui, lxc and incus at the lab
	@$(BIN)/python -m tests.lab env

fixtures: $(STAMP) ## Record the machine's kernels for the tests anew; read the diff before you commit it
	@sh packaging/test-packages.sh
	@$(BIN)/python -m tests.machine.record
	@$(BIN)/python -m tests.fixtures.expected
	@$(BIN)/python -m tests.fixtures.cgroups

pictures: $(STAMP) ## Draw the pictures of tests/tui anew; look at the diff before you commit it
	@$(BIN)/python -m pytest -q tests/tui/test_*pictures.py --snapshot-update

screenshots: $(STAMP) ## Draw screenshots/*.svg and *.png from the real program on the lab
	@$(BIN)/python -m tests.lab.screenshots

compare-lxcfs: $(STAMP) ## Compare every field with the installed LXCFS, as root; writes the table in docs/lxfs.md
	@$(BIN)/python -m benchmarks.compare_lxcfs --write
	@$(BIN)/python -m tests.machine.compare

soak: $(STAMP) ## Kill the server of lxfs 1000 times under its readers, as root (minutes); SOAK="--kills N --reads N"
	@$(BIN)/python -m tests.drivers.soaking $(SOAK)

soak-machine: $(STAMP) ## The same in the emulated machine, on Linux 6.12 and 6.1 (half an hour); SOAK="--kernel 6.1 --kills N"
	@sh packaging/test-packages.sh
	@$(BIN)/python -m tests.machine.soaking $(SOAK)

bench: bench-lxfs bench-tui bench-moves ## Those of lxfs, of the screen and of moves, for a quiet machine

bench-lxfs: $(STAMP) ## Time lxfs beside the installed LXCFS, as root; writes docs/benchmarks.md
	@$(BIN)/python -m benchmarks.lxfs_reads --write

bench-moves: $(STAMP) ## Time moves beside lxc move, in a lab of real daemons, as root; writes docs/benchmarks.md
	@$(BIN)/python -m benchmarks.moves --write

bench-day: $(STAMP) ## Run a simulated day of a fleet faster than time, a few minutes; fails when memory grows
	@$(BIN)/python -m benchmarks.day

bench-tui: $(STAMP) ## Time the screen with 10,000 simulated instances and 100 events a second; writes docs/benchmarks.md
	@$(BIN)/python -m benchmarks.tui --write

docs: $(STAMP) ## Make the tables of docs/lxfs.md anew from what the views state
	@$(BIN)/python -m tests.docs

clean: ## Remove what make made in this checkout (not the lab: make lab-down)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
