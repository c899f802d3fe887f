# Everything runs in a virtual environment that `make setup` builds from the pins in constraints.txt.
VENV ?= .venv
# The first of these that runs and is of a version that all converters have wheels for.
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3; do \
  $$each -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12), (3, 13)))' 2>/dev/null && { echo $$each; exit; }; done; \
  echo python3)
BIN := $(VENV)/bin
PINS := $(shell cat pyproject.toml constraints.txt .ci/litert-qnn.txt .ci/qai-hub.txt | sha256sum | cut -c1-16)
OUT ?= artifacts
STORE ?= sqlite:///results/pocketclip.sqlite
SIZE ?= nano
PICTURES ?= data/pictures
# Runs of a study at the same time, each on its share of the cores.
PROCESSES ?= 2
# What the demo exports to: the four formats; of a light install, what it has.
comma := ,
TARGETS ?= $(if $(filter all,$(subst $(comma), ,$(EXTRAS))),onnx$(comma)coreml$(comma)executorch$(comma)tflite,all)
LABELS ?= "cat,dog,tiger,ladybug,house,pear"
# Each takes up to 8 GB.
TEST_PROCESSES ?= 2
# tests/conftest.py puts the longest files first.
PYTEST_OPTIONS := -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder --durations=25
# Converters of a light install stay unavailable; the full set is the default.
EXTRAS ?= all,dev
# PyTorch's build: auto, cpu or pypi; .ci/environment says what each is.
TORCH ?= auto
# Of these pins and extras: other extras are added to what is there.
INSTALLED = $(VENV)/.pins-$(PINS)-$(EXTRAS)

.DEFAULT_GOAL := help
.PHONY: help setup pins demo test check matrix perf perf-arm64 trials train fuzz study study-encoders clean

help:
	@echo "make demo    set up, export pocketclip_nano to four runtimes, check, bench, write report.html, classify"
	@echo "make test    set up, run the whole test suite"
	@echo "make check   linters, types, layers, then the tests"
	@echo "make matrix  every target and precision of nano and S0, proven and timed: the table of docs/matrix.md (hours)"
	@echo "make perf    our exports of S0, S2 and pocketclip_int8 against the converters' plain calls, timed in turn on this computer"
	@echo "make perf-arm64  the same in instructions per inference on an emulated Cortex-A76 (Linux, root)"
	@echo "make train   build the pictures, train pocketclip_nano again (two hours on 2 cores), evaluate it"
	@echo "make trials  false verdicts, a planted slow-down and the agent's overhead on this computer (about 20 minutes)"
	@echo "make fuzz    10,000 mutated inputs through every reader (hours); exit code 1 where one crashes, hangs or writes"
	@echo "make study   reinforced against contrastive training, five seeds each: the table of docs/reinforcement.md"
	@echo "make study-encoders  modifications of the encoders: trained, judged, timed, counted (six hours on 2 cores; resumable)"

setup: $(INSTALLED)
	@test "$$(cat $(VENV)/.project 2>/dev/null)" = "$(CURDIR)" || { \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --build-constraint constraints.txt --editable . && echo "$(CURDIR)" > $(VENV)/.project; }

$(INSTALLED):
	@echo "setting up $(VENV): some minutes the first time, up to 8 GB (README, Disk)"
	.ci/environment "$(VENV)" "$(PYTHON)" "$(EXTRAS)" "$(TORCH)"
	@find $(VENV) -maxdepth 1 -name '.pins-*' ! -name '.pins-$(PINS)-*' -delete
	@echo "$(CURDIR)" > $(VENV)/.project && touch $@

# Pins of every package for all hosts and Pythons, with hashes; UPGRADE=--upgrade renews them.
pins: setup
	echo uv | $(BIN)/uv pip compile pyproject.toml - --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --quiet $(UPGRADE) --output-file constraints.txt

demo: setup
	$(BIN)/pocketclip export --model pocketclip_nano --target $(TARGETS) --quantize base,int8 --tower both --out $(OUT)
	$(BIN)/pocketclip eval --artifact $(OUT)/pocketclip_nano --store $(STORE)
	$(BIN)/pocketclip bench --device host --artifact $(OUT)/pocketclip_nano --store $(STORE)
	$(BIN)/pocketclip report --store $(STORE) --out report.html
	pair=$$(ls -d $(OUT)/pocketclip_nano/*-fp* | tail -n 1); for picture in cat.jpg ladybug.png; do \
	  $(BIN)/pocketclip classify docs/examples/$$picture --labels $(LABELS) --artifact $$pair || exit; done

test: setup
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

perf: setup
	$(BIN)/python -m pocketclip.benchmark.perf --model mobileclip_s0 --model mobileclip_s2 --model pocketclip_int8 \
	  --markdown --out $(OUT) --json results/perf.json

matrix: setup
	-$(BIN)/pocketclip export --model pocketclip_nano --target all --quantize all --tower both --out $(OUT)
	-$(BIN)/pocketclip export --model mobileclip_s0 --fresh-weights --target all --quantize all --tower both --out $(OUT)
	$(BIN)/pocketclip bench --artifact $(OUT)/pocketclip_nano --artifact $(OUT)/mobileclip_s0 --launches 1 --iterations 15 \
	  --profile --store $(STORE)
	$(BIN)/python -m pocketclip.benchmark.commands.matrix $(OUT)/pocketclip_nano $(OUT)/mobileclip_s0 --store $(STORE) --out docs/matrix.md

perf-arm64: setup
	$(BIN)/python -m pocketclip.benchmark.arm64 perf --model pocketclip_nano --out $(OUT) --json results/arm64-nano.json
	$(BIN)/python -m pocketclip.benchmark.arm64 perf --model mobileclip_s0 --counted 1 --out $(OUT) --json results/arm64-s0.json

trials: setup
	$(BIN)/pocketclip export --model pocketclip_nano --target onnx --quantize fp32 --tower image --out $(OUT)
	$(BIN)/python -m pocketclip.benchmark.trials $(OUT)/pocketclip_nano/onnx-fp32/image --store sqlite:///results/trials.sqlite

train: setup
	$(BIN)/pocketclip data build pictures --out $(PICTURES)
	$(BIN)/pocketclip train --model pocketclip_nano --out runs/pocketclip_nano-first --steps 6000 --learning-rate 0.002 \
	  --data "scenes:40000 + 3*webdataset:$(PICTURES)/train" --token-weight 1 --rand-augment --ema-decay 0.999
	$(BIN)/pocketclip train --init-from runs/pocketclip_nano-first --out runs/pocketclip_nano --steps 3000 --learning-rate 0.001 \
	  --data "scenes:40000 + 7*webdataset:$(PICTURES)/train" --crop-scale 0.7 1.0 --token-weight 1 --rand-augment \
	  --ema-decay 0.999 --seed 1
	$(BIN)/pocketclip eval --model runs/pocketclip_nano
	$(BIN)/pocketclip eval --model runs/pocketclip_nano --dataset pictures-design --data-root $(dir $(PICTURES))

fuzz: setup
	$(BIN)/python -m tests.fuzz --tries 10000 --out results/fuzz.json

# SIZE=s0 measures MobileCLIP-S0: latency and instructions only.
study-encoders: setup
	$(BIN)/python -m pocketclip.benchmark.encoder_study --size $(SIZE) --pictures $(PICTURES) --out runs/encoders-$(SIZE) \
	  --records docs/records/encoders-$(SIZE) --processes $(PROCESSES)

study: setup
	$(BIN)/python -m pocketclip.models.training.reinforcement_study --out runs/reinforcement

clean:
	rm -rf artifacts results report.html build *.egg-info
