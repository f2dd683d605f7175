# What people type. Each target is a few lines that call cargo or a script; nothing else is hidden.

.PHONY: help demo dev test test-api check setup generate bench chaos load soak-sandbox test-cgroup2

help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 16

demo: setup ## the whole path, from registering to a failing build, in a temporary directory
	cargo build --release --package apprun
	scripts/as-root.sh cargo run --quiet --release --package apprun -- demo

dev: setup ## Postgres, API and worker in one process; state in .apprun
	cargo build --release --package apprun
	scripts/as-root.sh cargo run --quiet --release --package apprun -- dev

test: ## every test
	scripts/setup.sh --for-tests
	scripts/test.sh

test-api: ## requests that Schemathesis makes up, against a fresh stack; five minutes, report in target/api
	scripts/setup.sh --for-api
	cargo build --package apprun
	scripts/as-root.sh scripts/test-api.sh

bench: setup ## the promised numbers, each beside a baseline of the same run
	scripts/as-root.sh cargo bench --package sandbox --bench launch
	scripts/as-root.sh cargo bench --package compiler --bench builds
	cargo bench --package api --bench tokens
	scripts/setup.sh --for-tests --for-load
	cargo bench --package worker --bench loads
	loadtests/queue-bench/run.sh
	cargo build --release --package apprun
	scripts/as-root.sh loadtests/footprint.sh
	scripts/as-root.sh loadtests/scaling.sh
	scripts/as-root.sh loadtests/partition.sh
	scripts/as-root.sh loadtests/takeover.sh

load: ## k6 against a fresh stack on loopback, all scenarios in short, and a rolling restart; report in target/load
	@scripts/setup.sh --for-load
	cargo build --release --package apprun
	scripts/as-root.sh loadtests/run.sh
	scripts/as-root.sh loadtests/rolling.sh

chaos: setup ## ten minutes of killed workers and restarted databases; the short form is part of test
	APPRUN_CHAOS_SECONDS=600 scripts/as-root.sh cargo test --package worker --test chaos -- --nocapture

soak-sandbox: setup ## ten thousand calls leave worker and spawner as they were; the short form is part of test
	APPRUN_SOAK_CALLS=10000 scripts/as-root.sh cargo test --package sandbox --test sandbox \
		leaks::thousands_of_calls_leave_everything_as_it_was -- --exact --nocapture

test-cgroup2: setup ## the sandbox's tests in a virtual machine with pure cgroup v2; takes minutes
	scripts/as-root.sh sandbox/tests/cgroup2/run

check: ## format, lints, layout, generated files; before every commit
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	cargo test --quiet --package system-tests --test tidy
	scripts/generate.sh --check

generate: ## the files that are made from others: SQL types, OpenAPI document
	scripts/generate.sh

setup: ## install what is missing: PostgreSQL server, Go, the musl target
	@scripts/setup.sh
