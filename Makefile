# Thin targets; the work is in scripts/.
.PHONY: help env demo test conformance check bench lock clean

help:
	@echo "make env          .venv with every locked dependency"
	@echo "make demo         start an agent, ask it something, keep serving"
	@echo "make test         the tests"
	@echo "make conformance  which real clients read which wire, by running them"
	@echo "make check        format, lint, types, architecture, docs"
	@echo "make bench        the benchmarks"
	@echo "make lock         remake requirements/*.lock"
	@echo "make clean        remove what the above made"

env:
	@scripts/env dev

# Needs only the core; a developer's environment, where there is one, holds that too.
demo:
	@scripts/env core
	@.venv/bin/python scripts/demo

test: env
	@scripts/test

conformance: env
	@.venv/bin/python scripts/conformance

check: env
	@scripts/check

bench: env
	@scripts/bench

lock:
	@scripts/lock

clean:
	@scripts/clean
