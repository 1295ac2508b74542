# Short names for sessions of noxfile.py; CONTRIBUTING.md says what each is for. Python
# and make are all that they need: nox is installed first.

PYTHON ?= python3
PYTEST_ARGS ?=

NOX_DIRECTORY = .venv-nox
NOX = $(NOX_DIRECTORY)/bin/nox
SESSIONS = browser cap demo docs history lint messages migrations mutants screenshots \
	test upstream

.PHONY: $(SESSIONS) bench clean coverage finality plays push

$(SESSIONS): $(NOX)
	$(NOX) --session $@ -- $(ARGUMENTS)

browser test: ARGUMENTS = $(PYTEST_ARGS)
# ONLY is a word in their names; IMAGES=docs/images renews those of the documentation.
screenshots: ARGUMENTS = $(if $(IMAGES),--images $(IMAGES)) $(ONLY)
mutants: ARGUMENTS = $(ONLY)

coverage: $(NOX)
	COVERAGE=1 $(NOX) --session test -- $(PYTEST_ARGS)
	$(NOX) --session coverage

$(NOX): requirements/nox.txt
	@$(PYTHON) -c "import ensurepip, sys, venv; assert sys.version_info >= (3, 11)" || \
		{ echo "Python 3.11 or newer is needed, with venv (Debian: python3-venv)."; exit 1; }
	$(PYTHON) -m venv --clear $(NOX_DIRECTORY)
	$(NOX_DIRECTORY)/bin/python -m pip install --quiet --require-hashes --no-deps \
		--requirement $<
	touch $@

# FULL=1 is what is published. The environment without a package measures the others.
bench:
	@$(PYTHON) -m benchmarks.environments
	.venv-bench/plain/bin/python -m benchmarks $(if $(FULL),--full)

# How soon an open page knows. FULL=1 is what is published: it takes a quarter of an hour.
push:
	@$(PYTHON) -m benchmarks.environments push
	.venv-bench/push/bin/python -m benchmarks.push $(if $(FULL),--full)

# What plays cost, and what the gateway answers. FULL=1 is what is published.
plays:
	@$(PYTHON) -m benchmarks.environments push
	.venv-bench/push/bin/python -m benchmarks.plays $(if $(FULL),--full)

# FULL=1 takes a thousand trials of each engine.
finality:
	@$(PYTHON) -m benchmarks.environments plain session-limit
	.venv-bench/plain/bin/python -m benchmarks truth --contender session-limit \
		--experiment under_load $(if $(FULL),--full)

clean:
	rm -rf .venv* .nox .cache .coverage* docs/_build
