# Short names for the sessions in noxfile.py, which CONTRIBUTING.md describes. They need
# only Python and make, because the first one to run installs nox.

PYTHON ?= python3
PYTEST_ARGS ?=

NOX_DIRECTORY = .venv-nox
NOX = $(NOX_DIRECTORY)/bin/nox
SESSIONS = browser cap compat demo docs history lint messages migrations mutants \
	screenshots test

# The tests must import the installed wheel, so the source tree must not come first.
unexport PYTHONPATH

.PHONY: $(SESSIONS) bench clean coverage finality

$(SESSIONS): $(NOX)
	$(NOX) --session $@ -- $(ARGUMENTS)

browser test: ARGUMENTS = $(PYTEST_ARGS)
# ONLY names libraries for "compat", and selects screenshots or mutants by a word in their
# names. IMAGES=docs/images replaces the screenshots in the documentation.
screenshots: ARGUMENTS = $(if $(IMAGES),--images $(IMAGES)) $(ONLY)
compat mutants: ARGUMENTS = $(ONLY)

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

# SUBJECT names modules in benchmarks/: cost, instructions, signin, push, plays, gateway,
# sweep, flood.
# FULL=1 measures for longer and writes the figures into the documentation.
bench:
	@$(PYTHON) -m benchmarks.environments
	.venv-bench/harness/bin/python -m benchmarks $(if $(FULL),--full) $(SUBJECT)

# FULL=1 makes a thousand trials with each engine. CONTENDER=all tests every package.
finality:
	@$(PYTHON) -m benchmarks.environments
	.venv-bench/harness/bin/python -m tests.finality $(if $(FULL),--full) \
		$(if $(CONTENDER),--contender $(CONTENDER))

clean:
	rm -rf .venv* .nox .cache .coverage* docs/_build
