# CONTRIBUTING.md says what each command is for.

PYTHON ?= python3
# Where the environment lives: another Python needs another directory.
VENV ?= .venv
PYTEST_ARGS ?=
# "-m coverage run" measures coverage.
MEASURE ?=
# Python's development mode. Without it the suite takes half the time.
DEVMODE ?= 1

# Where the servers are required, their drivers are installed too, and the browser's.
SETS = test $(if $(filter 1,$(SESSION_LIMIT_REQUIRE_SERVICES)),services browser servers)
RUN = $(VENV)/bin/python

# The installed wheel is what runs: nothing may put the source tree before it.
unexport PYTHONPATH

.PHONY: bench browser cap clean coverage coverage-report demo docs environment finality \
	history lint messages migrations mutants screenshots test upstream

test: environment
	PYTHONDEVMODE=$(DEVMODE) SESSION_LIMIT_TEST_WHEEL=1 $(RUN) $(MEASURE) -m pytest $(PYTEST_ARGS)

coverage: MEASURE = -m coverage run
coverage: test coverage-report

coverage-report:
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report

# In an environment of their own, where no server is required.
browser screenshots: VENV = .venv-browser
browser screenshots: SETS = test browser

browser: PYTEST_ARGS = tests/browser
browser: test

# ONLY is a word in their names; IMAGES=docs/images renews those of the documentation.
screenshots: environment
	$(RUN) -m tests.browser.screenshots $(if $(IMAGES),--images $(IMAGES)) $(ONLY)

# SERVE=0 ends after the story, WSGI=1 plays it under WSGI, PORT chooses the port, WORKERS
# how many processes serve, BUS=redis or BUS=postgres what tells them at once.
ifneq ($(BUS),)
demo: VENV = .venv-demo
demo: SETS = test buses
endif
demo: export BUS := $(BUS)
demo: environment
	$(RUN) -m example

upstream: environment
	$(RUN) scripts/upstream

mutants: environment
	$(RUN) -m tests.mutants

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

cap: environment
	$(RUN) -m tests.cap

# In an environment of its own, with every driver and server. MINUTES of faults for each of
# four combinations: ten are published.
history: VENV = .venv-history
history: SETS = test services servers
history: environment
	rm -rf build/history
	$(RUN) -m tests.history --all --minutes $(or $(MINUTES),10) --keep build/history

migrations: environment
	$(RUN) -m django makemigrations --check --dry-run --settings tests.settings

# What the catalogues translate follows the source; what they say is written by hand.
messages: environment
	cd src/session_limit && $(abspath $(RUN)) -m django makemessages --all --no-obsolete \
		--add-location file
	cd src/session_limit && $(abspath $(RUN)) -m django compilemessages

environment:
	@$(PYTHON) scripts/environment.py --wheel $(VENV) $(SETS)

lint:
	@$(PYTHON) scripts/environment.py .venv-lint lint
	PATH="$(CURDIR)/.venv-lint/bin:$$PATH" scripts/lint

docs:
	@$(PYTHON) scripts/environment.py .venv-docs docs
	PYTHONPATH=src:. .venv-docs/bin/sphinx-build -E -W --keep-going docs docs/_build/html

clean:
	rm -rf .venv* .cache .coverage* docs/_build
