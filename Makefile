# Short names for sessions of noxfile.py; CONTRIBUTING.md says what each is for. Python
# and make are all that they need: nox is installed first.

PYTHON ?= python3
PYTEST_ARGS ?=

NOX_DIRECTORY = .venv-nox
NOX = $(NOX_DIRECTORY)/bin/nox
SESSIONS = browser cap demo docs history lint messages migrations mutants screenshots \
	test upstream

# The installed wheel is what runs: nothing may put the source tree before it.
unexport PYTHONPATH

.PHONY: $(SESSIONS) bench clean coverage finality

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

# SUBJECT names modules of benchmarks/: cost, signin, push, plays, gateway, sweep, flood.
# FULL=1 measures longer, and writes the figures into the documentation.
bench:
	@$(PYTHON) -m benchmarks.environments
	.venv-bench/harness/bin/python -m benchmarks $(if $(FULL),--full) $(SUBJECT)

# FULL=1 takes a thousand trials of each engine, CONTENDER=all tries every package.
finality:
	@$(PYTHON) -m benchmarks.environments
	.venv-bench/harness/bin/python -m tests.finality $(if $(FULL),--full) \
		$(if $(CONTENDER),--contender $(CONTENDER))

clean:
	rm -rf .venv* .nox .cache .coverage* docs/_build
