#!/usr/bin/env bash
# The probe's own overhead under our own gate: Criterion bench `passes` of HEAD against its merge-base with $BASE, or the commit before
# HEAD. A regression fails; what can't be told does not. The margin is what a new layout of the same machine code may cost; a lock, a call or
# an allocation in a window costs several times as much.
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
base=${BASE:-HEAD~1}
# Packages of the registry are compiled once for both sides.
build="CARGO_TARGET_DIR=$top/target cargo bench --locked -p amdahl-worker --bench passes --no-run --message-format=json |
    sed -n 's/.*\"executable\":\"\([^\"]*\)\".*/\1/p' | tail -n 1 | xargs -I{} cp {} passes"
AMDAHL=$top/target/release/amdahl scripts/ci/compare-with-base.sh --base "$base" --allow-missing-base --build "set -o pipefail; $build" \
    --criterion '{dir}/passes' -- --margin 10 --equivalence 15 --budget 4m
