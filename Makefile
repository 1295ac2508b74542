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
	$(PYTHON) -m venv --clear $(NOX_DIRECTORY)
	$(NOX_DIRECTORY)/bin/python -m pip install --quiet --require-hashes --no-deps \
		--requirement $<
	touch $@

clean:
	rm -rf .venv* .nox .cache .coverage* docs/_build
