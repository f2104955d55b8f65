# The commands for people; each makes or refreshes .venv first (seconds when it is up to date).
PYTHON ?= python3
GATEWAYS ?= 1
# Processes of each gateway, behind its one port; empty: as XQUEUE_WORKERS says, or 1.
WORKERS ?=
# It is passed on by its setting's name; this one would be taken for a setting without its prefix.
unexport WORKERS
# make test RABBITMQ=debian-13: on that release's RabbitMQ, 4.0
# make test BROKER=docker, or BROKER=amqp://user:password@host:port BROKER_MANAGEMENT=http://user:password@host:port
RABBITMQ ?=
BROKER ?=
BROKER_MANAGEMENT ?=
# extra arguments for pytest or the bench, as in: make test ARGS="tests/unit -x"; TEST_WORKERS=0 runs tests in one process
ARGS ?=
# make image: the builder to take instead of the first that is there, and the image of Python to build on
BUILDER ?=
PYTHON_IMAGE ?=
# where the project lives, for the links of what make dist makes
REPOSITORY ?=
# One more than a small machine has cores: the suite waits a lot, and four were too many for its deadlines.
TEST_WORKERS ?= 3
# At least so many percent, of lines and branches, are covered by unit tests, when all of them run.
COVERED := 76

VENV := .venv/bin
export RABBITMQ BROKER BROKER_MANAGEMENT
MAKEFLAGS += --no-print-directory
# Where a machine forbids it, each of the tests' processes compiles all tests and programs anew: minutes in all.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up test check together compiled bench simulate chaos attack fuzz lock dist image screenshots docs clean run-env dev-env
.DEFAULT_GOAL := help

help:  ## say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 10

up: run-env  ## run XQueue here: private broker, gateway, relay, console (GATEWAYS=2 for two gateways, WORKERS=2 for two processes of each)
	@exec $(VENV)/python deploy/local/leash.py $$PPID $(VENV)/python -m deploy.local up "--gateways=$(GATEWAYS)" "--workers=$(WORKERS)"

test: dev-env  ## check, then all tests (RABBITMQ=debian-13, BROKER=docker or amqp://..., ARGS=...)
	@$(MAKE) -j 2 check together
	@printf 'Covered by unit tests, lines and branches, in percent: '
	@$(VENV)/coverage report --format=total $(if $(ARGS),,--fail-under=$(COVERED))

check: dev-env  ## lint, format, types, import rules
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy
	$(VENV)/lint-imports

# Beside the checks, of which the types take most of a minute where nothing is known of before, as in CI. Checks that
# fail sooner than the tests begin leave those out.
# worksteal: the slow tests stand together, and without it whoever has the first of them has most of them
together: compiled
	$(VENV)/python -m pytest -n $(TEST_WORKERS) --dist worksteal -m "not alone" --cov --cov-report= $(ARGS)

# In a fresh clone each worker would otherwise compile all tests for itself, at the same time.
compiled: dev-env
	@[ "$$(find tests -name 'test_*-pytest-*.pyc' | wc -l)" -ge "$$(find tests -name 'test_*.py' | wc -l)" ] \
		|| $(VENV)/python -m pytest -n 0 --collect-only -q >/dev/null 2>&1 || true

bench: dev-env  ## measure, beside bare programs in the same run
	$(VENV)/python -m bench $(ARGS)

simulate: dev-env  ## what the relay makes of sick LMSs, with a clock that jumps: a minute or two
	$(VENV)/python -m bench.simulation

chaos: dev-env  ## freeze, kill and cut off RabbitMQ's three nodes and XQueue's processes: 35 minutes (ARGS="--list", "--only NAME --runs N")
	@exec $(VENV)/python -m bench.chaos $(ARGS)

attack: dev-env  ## attack a stack of its own as strangers and accounts may: some minutes (ARGS=--quick, --help)
	$(VENV)/python -m bench.attack $(ARGS)

FUZZED := tests/unit/fuzzing tests/unit/broker_setup/wire/test_replies_as_the_lms.py \
	tests/unit/broker_setup/ledger/test_any_order.py tests/unit/broker_setup/ledger/test_state_redriven.py \
	tests/unit/broker_setup/ledger/test_histories.py \
	tests/integration/gateway/test_hostile.py tests/integration/gateway/test_schemathesis.py
fuzz: dev-env  ## give every parser, call and order of events some thousand inputs that nobody thought of: some minutes
	FUZZ_EXAMPLES=2000 $(VENV)/python -m pytest -n $(TEST_WORKERS) --timeout 1800 $(FUZZED) $(ARGS)

LOCK := $(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate
lock: dev-env  ## pin the dependencies of pyproject.toml anew (UPGRADE=--upgrade for the newest)
	$(LOCK) pyproject.toml $(UPGRADE) --output-file deploy/requirements/run.txt
	$(LOCK) pyproject.toml $(UPGRADE) --constraint deploy/requirements/run.txt --extra dev --extra legacy --extra otel --output-file deploy/requirements/dev.txt
	$(LOCK) deploy/tutor/pyproject.toml $(UPGRADE) --constraint deploy/requirements/run.txt --output-file deploy/requirements/tutor.txt
	printf 'edx-submissions\nopenedx-events\n' | $(LOCK) - $(UPGRADE) --output-file deploy/requirements/edx-submissions.txt
	echo tutor-xqueue | $(LOCK) - $(UPGRADE) --no-deps --output-file deploy/requirements/tutor-xqueue.txt

dist: dev-env  ## make wheels, sdist, bill of materials and checksums of the last commit in dist/ (REPOSITORY=https://... for links)
	@$(VENV)/python -m deploy.release dist --repository "$(REPOSITORY)"

image:  ## build the container image with docker, podman or buildah (BUILDER=, PYTHON_IMAGE=, ARGS= for more of the builder's own)
	@$(PYTHON) -m deploy.image.build --builder "$(BUILDER)" --python-image "$(PYTHON_IMAGE)" $(ARGS)

screenshots: dev-env  ## take the pictures of the console in docs/images anew, in Debian's Chromium
	$(VENV)/python -m tests.support.console_pictures

docs: dev-env  ## make the site of docs/ in build/site; a link that leads nowhere fails it (REPOSITORY=https://... for its links)
	@NO_MKDOCS_2_WARNING=1 REPOSITORY="$(REPOSITORY)" $(VENV)/python -m mkdocs build --strict
	@echo "build/site/index.html"

clean:  ## remove the virtual environment, the local stack's data and all caches
	rm -rf .venv .local build dist .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

run-env:
	@$(PYTHON) -m deploy.local.bootstrap run

dev-env:
	@$(PYTHON) -m deploy.local.bootstrap dev
