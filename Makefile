# What people type. Each target is a few lines that call cargo or a script; nothing else is hidden.

.PHONY: help demo dev test check setup generate

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 12

demo: setup ## the whole path, from registering to a failing build, in a temporary directory
	cargo build --release --package apprun
	scripts/as-root.sh cargo run --quiet --release --package apprun -- demo

dev: setup ## Postgres, API and worker in one process; state in .apprun
	cargo build --release --package apprun
	scripts/as-root.sh cargo run --quiet --release --package apprun -- dev

test: setup ## every test
	scripts/test.sh

check: ## format, lints, layout, generated files; before every commit
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	cargo test --quiet --package system-tests --test tidy
	scripts/generate.sh --check

generate: ## the files that are made from others: SQL types, OpenAPI document
	scripts/generate.sh

setup: ## install what is missing: PostgreSQL server, Go, the musl target
	@scripts/setup.sh
