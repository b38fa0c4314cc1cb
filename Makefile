# What can be done here; `make` lists it. Works with GNU make 3.81 and newer.

KAFKA ?= embedded
PYTHONS := python3.13 python3.12 python3.11 python3.14 python3
PYTHON := .venv/bin/python
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: help run demo test test-kafka check format docs lock recompute bench dead-letters chaos kafka kafka-stop reset environment install

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: environment ## start everything and stay until Ctrl-C; KAFKA=apache with Apache Kafka in place of the embedded broker
	@exec $(PYTHON) -m deploy.local run --kafka $(KAFKA)

demo: environment ## play a lively morning beside `make run`, to be watched here; ARGS="--minutes 1" shortens it
	@exec $(PYTHON) -m deploy.simulator.demo $(ARGS)

test: environment ## run all tests; ARGS="-k relay" narrows them
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not replicas' $(ARGS)

test-kafka: environment ## run the tests that concern the broker on Apache Kafka (needs Java 17 and Maven)
	$(PYTHON) -m deploy.local beside-kafka $(PYTHON) -m pytest -m 'kafka or replicas' $(ARGS)

bench: environment ## measure speed and size on Apache Kafka, beside a bare chain, in 8 minutes; ARGS="--only visible"
	@$(PYTHON) -m tests.bench $(ARGS)

check: environment ## check format, lint, types, architecture and generated documents
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) -m deploy.documents --check

format: environment ## format the code and mend what can be mended
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

docs: environment ## write the generated documents anew
	$(PYTHON) -m deploy.documents

lock: environment ## pin the dependencies of pyproject.toml; ARGS=--upgrade takes their newest versions
	$(COMPILE) $(ARGS) pyproject.toml -o requirements.lock
	$(COMPILE) $(ARGS) -c requirements.lock --group embedded --group dev pyproject.toml -o requirements-dev.lock
	echo uv | $(COMPILE) $(ARGS) - -o deploy/installer.lock

recompute: environment ## compute all figures anew from the facts, beside `make run`
	@$(PYTHON) -m deploy.local.recompute

dead-letters: environment ## list what could not take effect, beside `make run`; ARGS="replay --service conversation --all"
	@$(PYTHON) -m deploy.local.dead_letters $(ARGS)

chaos: environment ## break everything under load and count what that costs; ARGS="--short" takes three minutes at most
	@$(PYTHON) -m tests.chaos $(ARGS)

kafka: environment ## start Apache Kafka alone, in the background (needs Java 17 and Maven)
	@$(PYTHON) -m deploy.local kafka

kafka-stop: environment ## stop it
	@$(PYTHON) -m deploy.local kafka-stop

reset: environment ## delete all data of the local run
	@$(PYTHON) -m deploy.local reset

# The virtual environment holds exactly what the lock says; one that is a link belongs to somebody else.
environment:
	@[ -L .venv ] \
	  || { cmp -s requirements-dev.lock .venv/installed.lock && $(PYTHON) -c ''; } \
	  || $(MAKE) --no-print-directory install

# uv takes seconds for what takes pip a minute; pip stays for networks that only pip is set up for.
# Others may read the result whatever the umask: for root, Postgres runs as somebody else.
install:
	@for python in $(PYTHONS) none; do \
	  $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && break; \
	done; \
	if [ $$python = none ]; then \
	  echo 'Balcão needs Python 3.11 or newer with its venv module, and found none on the PATH' >&2; \
	  echo '(on Debian and Ubuntu: apt install python3 python3-venv)' >&2; \
	  exit 1; \
	fi; \
	echo "Installing into .venv with $$($$python --version)"; \
	umask 022; $$python -m venv --clear .venv
	@umask 022; $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/installer.lock
	@umask 022; .venv/bin/uv pip install --quiet --python $(PYTHON) --system-certs --link-mode copy --compile-bytecode --require-hashes -r requirements-dev.lock \
	  || $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@cp requirements-dev.lock .venv/installed.lock
