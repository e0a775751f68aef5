.PHONY: env demo test check clean

env:
	@scripts/env

demo: env  ## serve the quickstart and ask it a question
	@.venv/bin/python scripts/demo

test: env  ## every test
	@.venv/bin/python -m pytest -q

check: env  ## style, types and layers
	@.venv/bin/ruff check -q .

clean:
	rm -rf .venv
