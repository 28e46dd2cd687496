# make demo, make test: each does all the set-up. make setup is that step alone.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: setup demo test slow faults bench lint
setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check torch torchvision --constraint requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint requirements.lock
	touch $@

demo: setup          # 3.6 minutes on one CPU core
	$(BIN)/python -m inpainting.train experiment=quickstart

test: setup          # about five minutes on two CPU cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

slow: setup          # the long checks
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow

faults: setup        # interruptions of every method at every moment, 1,000 kills, full disks, bad folders
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/faults -m 'slow or not slow'

bench: setup         # the ratios of docs/speed.md, one thread
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/benchmarks -s

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
