#!/bin/sh
# Format, lints and docs, as CI demands them. The two halves are checked in the profiles they are built in.
set -eu
export RUSTDOCFLAGS="-D warnings"
cargo fmt --all --check
cargo clippy --locked --workspace --exclude amdahl-analysis --all-targets -- -D warnings
cargo doc --locked --workspace --exclude amdahl-analysis --no-deps --document-private-items --quiet
cargo clippy --profile analysis --locked -p amdahl-analysis --all-targets -- -D warnings
cargo doc --profile analysis --locked -p amdahl-analysis --no-deps --document-private-items --quiet
