# Hearth's front door. `make run` and `make test` do their own set-up; a second run of either does only what changed.
# Kept to GNU make 3.81 and bash 3.2, which is what macOS ships.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

export PATH := $(HOME)/.cargo/bin:$(PATH)
# The command line contract names target/release, so a redirected target folder would break it.
unexport CARGO_TARGET_DIR

# One set of features for every command, or cargo would build the tree once per set. custom-protocol = the UI is inside the program.
FEATURES := --features hearth-desktop/custom-protocol
LOCKED := $(if $(CI),--locked)
PROGRAMS := -p hearth-cli -p hearth-desktop $(FEATURES) $(LOCKED)
STAMPS := target/.stamps
UI_SOURCES := $(shell find ui -type f -not -path '*/node_modules/*' -not -path 'ui/dist/*' -not -path 'ui/.vite/*' -not -path 'ui/tests/*' 2>/dev/null)
CARGO_DENY := 0.20.2

.PHONY: help setup system npm model ui build build-debug run bindings bundle bench clean \
	test test-rust test-ui test-clients test-schema test-window test-bundle test-gguf gguf-corpus \
	check check-format check-rust check-ui check-tidy check-licences check-scripts check-workflows check-macos

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- Set-up -----------------------------------------------------------------------------------------------------------------

setup: system npm model ## everything a build needs, without building

system:
	@scripts/system-packages build

npm: ui/node_modules/.installed

%/node_modules/.installed: %/package-lock.json
	cd $* && npm ci --no-audit --no-fund
	@touch $@

model:
	@scripts/fetch-model target/release/resources/models target/debug/resources/models
	@scripts/make-embedder target/release/resources/models target/debug/resources/models

# --- Build and run ----------------------------------------------------------------------------------------------------------

ui: $(STAMPS)/ui

# A missing dist (make clean in ui, a fresh worktree) rebuilds even when the stamp is there.
$(STAMPS)/ui: ui/node_modules/.installed $(UI_SOURCES) $(if $(wildcard ui/dist/*.html),,no-dist)
	cd ui && npm run build
	@mkdir -p $(STAMPS) && touch $@
	@# The program embeds ui/dist when it is compiled, and cargo does not watch that folder.
	@touch src-tauri/tauri.conf.json

.PHONY: no-dist
no-dist:

build: system model $(STAMPS)/ui ## target/release/hearth and target/release/hearth-desktop
	cargo build --release $(PROGRAMS)

# Everything with its tests, exactly as clippy and `cargo test` select it: another selection would compile llama.cpp once more.
build-debug: system model $(STAMPS)/ui
	cargo build --workspace --all-targets $(FEATURES) $(LOCKED)

run: build ## open the app (without a display: chat in the terminal)
	@scripts/run

bindings: system model $(STAMPS)/ui ## ui/src/ipc/bindings.ts after a change to a command or its types
	HEARTH_WRITE_BINDINGS=1 cargo test --workspace $(FEATURES) --test contract

bundle: build ## target/bundle/Hearth.app (on Linux the same layout, not for publishing)
	scripts/bundle

# The programs are named too, so that the selection is that of `build` and llama.cpp is not compiled again.
bench: system model $(STAMPS)/ui ## speed against the bare llama.cpp loop: make bench ARGS="rounds"
	cargo build --release $(PROGRAMS) -p hearth-benches
	target/release/hearth-benches $(ARGS)

clean: ## what was built here (not the model cache)
	cargo clean
	rm -rf ui/dist ui/node_modules tests/ui/node_modules tests/clients/javascript/node_modules scripts/lint/node_modules

# --- Tests ------------------------------------------------------------------------------------------------------------------

test: test-rust test-ui test-clients test-schema test-window test-bundle ## the whole suite

test-rust: build-debug ## unit and integration tests
	cargo test --workspace $(FEATURES) $(LOCKED)

test-ui: npm ## the interface's unit tests
	cd ui && npm test

test-clients: build-debug tests/clients/javascript/node_modules/.installed ## the programs of others against the real server
	scripts/test-clients

test-schema: build-debug ## the server against its own description, with what schemathesis makes of it
	scripts/test-schema

test-window: build-debug tests/ui/node_modules/.installed ## the real window, under a virtual screen
	scripts/test-window

test-bundle: build-debug ## the .app: property list, icons, model, entitlements
	python3 -B -m unittest discover --start-directory tests/bundle --verbose

test-gguf: system ## not in `test`: 100,000 damaged model files, and llama.cpp under the address sanitiser for those that we let through
	child=$$(scripts/sanitised-llama) && \
	HEARTH_GGUF_CHILD=$$child cargo test --workspace $(FEATURES) $(LOCKED) --test gguf -- --ignored --nocapture does_not_kill

gguf-corpus: system ## crates/models/tests/corpus, after a change to its seeds or to llama.cpp
	child=$$(scripts/sanitised-llama) && \
	HEARTH_GGUF_CHILD=$$child cargo test --workspace $(FEATURES) $(LOCKED) --test gguf -- --ignored --nocapture write_the_corpus

# --- Checks -----------------------------------------------------------------------------------------------------------------

check: check-format check-rust check-ui check-tidy check-licences check-scripts check-workflows ## format, lints, types, licences

check-format:
	cargo fmt --all --check

check-rust: system model $(STAMPS)/ui
	cargo clippy --workspace --all-targets $(FEATURES) $(LOCKED) -- -D warnings

check-ui: npm
	cd ui && npm run check && npm run lint

check-tidy: system model $(STAMPS)/ui
	cargo test --workspace $(FEATURES) $(LOCKED) --test tidy

check-licences:
	@scripts/cargo-tool cargo-deny $(CARGO_DENY) --no-default-features
	cargo deny --workspace check --hide-inclusion-graph licenses bans sources
	@scripts/check-advisories

check-scripts:
	@scripts/system-packages lint
	scripts/check-scripts

check-workflows: scripts/lint/node_modules/.installed
	node scripts/lint/workflows.mjs .github/workflows/*.yml

check-macos: system $(STAMPS)/ui ## type-check the macOS code (works on Linux), and prove that the check notices an error
	scripts/check-macos
	scripts/check-macos --self-test
