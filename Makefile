# Poolkeeper: everything a developer needs. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
KEYCLOAK_VERSION := 26.4.7
KEYCLOAK := .tools/keycloak-$(KEYCLOAK_VERSION)
CHROMIUM ?= chromium
MAVEN_COPY := org.apache.maven.plugins:maven-dependency-plugin:3.8.1

.PHONY: help install demo test test-kill test-faults test-browser test-keycloak test-systemd check format lock editor bench docs clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

install: $(STAMP) ## Create .venv with every pinned dependency (needs the network once)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Poolkeeper needs Python 3.11 or newer with the venv module; none was found on PATH." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## The whole thing at work, checked step by step (under 90 s)
	$(BIN)/poolkeeper demo

test: $(STAMP) ## The quick tests, then the end-to-end ones
	$(BIN)/python -m pytest -q -n 2 -m "not slow"
	$(BIN)/python -m pytest -q -n 2 -m slow --ignore=tests/central_faults

test-kill: $(STAMP) ## An agent killed at random and at every system call that counts (needs strace)
	$(BIN)/python -m tests.kill_loop 200 7
	@if ! command -v strace >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install strace; fi
	$(BIN)/python -m tests.kill_syscalls

test-faults: $(STAMP) ## Central under kills, crashes, a full disk, a lost primary (needs root)
	$(BIN)/python -m pytest -q tests/central_faults

test-systemd: $(STAMP) ## The agent's service on a real systemd, in a container (needs root)
	@for tool in systemd-nspawn debootstrap; do command -v $$tool >/dev/null || missing=1; done; \
	  if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get -qq update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install systemd-container debootstrap; fi
	$(BIN)/python -m pytest -q tests/systemd/real_resolver.py tests/systemd/real_systemd.py

test-browser: $(STAMP) ## Central's pages in a real Chromium; pictures go to .artifacts/screens
	@if ! command -v $(CHROMIUM) >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get -qq update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium; fi
	@command -v $(CHROMIUM) >/dev/null || { echo "The pages need a browser: apt-get install chromium, or make test-browser CHROMIUM=/path/to/it" >&2; exit 1; }
	CHROMIUM="$$(command -v $(CHROMIUM))" $(BIN)/python -m pytest -q --timeout 400 tests/web_browser

test-keycloak: $(STAMP) $(KEYCLOAK)/.built ## Logins through a real Keycloak (needs Maven and Java >= 17)
	KEYCLOAK_HOME=$(abspath $(KEYCLOAK)) $(BIN)/python -m pytest -q --timeout 900 tests/keycloak

$(KEYCLOAK)/.built:
	@command -v mvn >/dev/null && command -v java >/dev/null || { echo "Keycloak needs Maven and Java 17 or newer: apt-get install maven default-jre-headless" >&2; exit 1; }
	mkdir -p .tools
	mvn --quiet --batch-mode $(MAVEN_COPY):copy -Dmdep.useBaseVersion=true -DoutputDirectory=$(abspath .tools) \
	  -Dartifact=org.keycloak:keycloak-quarkus-dist:$(KEYCLOAK_VERSION):tar.gz
	tar -xzf .tools/keycloak-quarkus-dist-$(KEYCLOAK_VERSION).tar.gz -C .tools
	rm .tools/keycloak-quarkus-dist-$(KEYCLOAK_VERSION).tar.gz
	$(KEYCLOAK)/bin/kc.sh build --db=dev-mem
	touch $@

check: $(STAMP) ## Lint, format, types, house rules; warnings are errors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests benchmarks
	$(BIN)/python -m pytest -q tests/test_house_rules.py

format: $(STAMP) ## Let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP) ## Write the generated pages below docs/ anew
	$(BIN)/python -m poolkeeper.docs
	$(BIN)/python -m tests.fault_matrix

bench: $(STAMP) ## Measure side by side; tables, JSON under benchmarks/results
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/footprint.py
	$(BIN)/python benchmarks/reaction.py
	$(BIN)/python benchmarks/read_schedulers.py
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.fleet
	$(BIN)/python -m benchmarks.history
	$(BIN)/python -m benchmarks.login_flood
	$(BIN)/python -m benchmarks.web_pages

lock: $(STAMP) ## Resolve the dependencies anew (needs the network)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade -q \
	  -o requirements.lock

editor: ## Bundle the YAML editor of the web pages (needs Node.js >= 20 and the network)
	cd central/web/editor && npm ci --ignore-scripts --no-audit --no-fund && npm run --silent build

clean: ## Remove what the targets above made
	rm -rf $(VENV) .tools central/web/editor/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
