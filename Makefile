# Two commands matter: `make demo` and `make test`. Each sets up all that it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# What is imported is compiled once, not anew by every process that a test starts.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint types contracts unit services peers bench bench-pii bench-injection soak clean

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip setuptools uv
	$(INSTALL) --python $(BIN)/python --editable '.[dev]'
	touch $(STAMP)

# What the tests talk to and cannot live with: the old line of the MCP library with servers that real people use, and
# CrewAI, which needs that line. Each has an environment of its own.
PEERS := .peers
INSTALL := $(BIN)/uv pip install --quiet
MCP_SERVERS := 'mcp>=1.30,<2' mcp-server-fetch mcp-server-git mcp-server-time

$(PEERS)/.python: $(STAMP)
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(PEERS)/mcp1
	$(INSTALL) --python $(PEERS)/mcp1/bin/python $(MCP_SERVERS)
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(PEERS)/crewai
	$(INSTALL) --python $(PEERS)/crewai/bin/python --editable '.[crewai]' pytest
	touch $@

# Programs of others, from npm: coding agents, and what the MCP project offers. Their tests are skipped without them.
NODE_PEERS := @anthropic-ai/claude-code @openai/codex @google/gemini-cli @modelcontextprotocol/inspector \
	@modelcontextprotocol/server-everything @modelcontextprotocol/server-filesystem

peers: $(PEERS)/.python
	mkdir -p $(PEERS)/node
	npm install --prefix $(PEERS)/node --no-audit --no-fund --loglevel=error $(NODE_PEERS)

demo: $(STAMP)
	$(BIN)/python policies/demo/run.py

test: lint types contracts unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	MYPY_NUM_WORKERS=2 $(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP) $(PEERS)/.python services
	$(BIN)/pytest -n 2 --dist worksteal -m 'not soak'

# Tests talk to a real Redis and a real PostgreSQL, which they start themselves; install them where that is allowed.
services:
	@command -v redis-server >/dev/null || command -v valkey-server >/dev/null || test -n "$$GUARD_TEST_REDIS" \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq redis-server; } \
	|| echo "no redis-server here: the tests of the Redis store are skipped (or fail under CI=true)"
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || test -n "$$GUARD_TEST_POSTGRES" \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq postgresql; } \
	|| echo "no PostgreSQL here: the tests of its audit log are skipped (or fail under CI=true)"

# Side by side, as ratios, in one run; never part of the tests.
bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python tests/bench/run.py

# Personal data: precision, recall and speed beside Presidio, as Markdown.
bench-pii: $(STAMP)
	$(BIN)/python tests/bench/pii.py

# The packs against instructions that attackers plant, on the suites of AgentDojo, as Markdown: the table of
# policies/INJECTION.md. With ARGS=--each every run that asks, ARGS=--text with results as text.
bench-injection: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[injection-bench]'
	$(BIN)/python tests/bench/injection.py $(ARGS)

# The full counts of fuzzers and properties: minutes to hours.
soak: $(STAMP) peers services
	GUARD_SOAK=1 $(BIN)/pytest -n 2

clean:
	rm -rf $(VENV) $(PEERS) .demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
