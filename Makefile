# make help        this list
# make demo        the main job on built-in data; ends with the path of report.html (also plain `make`)
# make test        the whole test suite; tests of the page are skipped where there is no Chromium
# make browser     install a Chromium for them (as root Debian's, otherwise Playwright's)
# make check       formatter, linter, type checker, import rules
# make format      format the code and fix what the linter can fix
# make shape       rooms, floors, arrows and lines of the code; long modules and functions
# make soak        the long tests that `make test` leaves out, such as every architecture in every order
# make fuzz        broken files for every reader, guided by coverage: 10 minutes, or make fuzz SECONDS=3600
# make zoo         every network of torchvision and one of each module of timm through all steps of a study;
#                  some hours, resumes. make zoo ZOO='--only "timm:*vit*"', or ZOO='--redo failed'
# make audit       check the installed versions against the published advisories (needs the network)
# make sbom        build/sbom.json: everything that is installed, as CycloneDX
# make docs        the documentation site in build/site, English and Korean; a warning or a broken link is an error
# make drawings    draw docs/drawings
# make catalogues  collect the messages for the translators and compile their translations
# make options     list the commands' options in tests/options.txt
#
# Each makes its own virtual environment (.venv) and installs what it needs there. Python 3.11 or newer;
# another one: make PYTHON=/path/to/python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
# uv installs several times faster; where it cannot be had, or fails, pip does the same
install = $(PIP) uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt $(1) || $(PIP) $(1)

.PHONY: demo help docs test browser soak fuzz zoo audit sbom check format shape drawings catalogues options

demo: $(VENV)/.user
	$(BIN)/commongarden run demo
	@echo "To use the command in this shell: . $(BIN)/activate"

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile

test: $(VENV)/.developer
	@$(BIN)/python scripts/browser.py >/dev/null || true
	$(BIN)/pytest -n auto --dist worksteal

browser: $(VENV)/.developer
	$(BIN)/python scripts/browser.py --install

soak: $(VENV)/.docs
	$(BIN)/pytest -n auto -m soak

SECONDS := 600
fuzz: $(VENV)/.developer
	$(BIN)/python scripts/fuzz.py --seconds $(SECONDS)

zoo: $(VENV)/.developer
	$(BIN)/python scripts/zoo.py $(ZOO)

# the tools have an environment of their own, so that they are neither judged nor listed
TOOLS := build/audit
$(TOOLS)/bin/pip-audit: | $(BIN)/pip
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1 cyclonedx-bom==7.5.0

audit: $(VENV)/.user $(TOOLS)/bin/pip-audit
	$(TOOLS)/bin/pip-audit --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" --skip-editable

sbom: $(VENV)/.user $(TOOLS)/bin/pip-audit
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o build/sbom.json $(BIN)/python

check: $(VENV)/.developer
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/shape.py --rooms 24 > /dev/null

shape: $(VENV)/.developer
	$(BIN)/python scripts/shape.py

docs: $(VENV)/.docs
	$(BIN)/python scripts/build_site.py

drawings: $(VENV)/.user
	$(BIN)/python scripts/drawings.py

catalogues: $(VENV)/.developer
	$(BIN)/python scripts/catalogues.py

options: $(VENV)/.developer
	$(BIN)/python tests/cli/test_options_listed.py

format: $(VENV)/.developer
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(BIN)/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "commongarden needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Accepted: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.user: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "installing commongarden and PyTorch into $(VENV) (on Linux 6 GB, as PyTorch brings CUDA)"
	@$(call install,--editable .)
	touch $@

$(VENV)/.developer: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "installing commongarden, PyTorch and the developers' tools into $(VENV) (on Linux 7 GB, as PyTorch brings CUDA)"
	@$(call install,--editable ".[dev]")
	touch $@ $(VENV)/.user

SITE := dev,docs
$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "installing commongarden, PyTorch, the developers' tools and those of the site into $(VENV)"
	@$(call install,--editable ".[$(SITE)]")
	touch $@ $(VENV)/.developer $(VENV)/.user
