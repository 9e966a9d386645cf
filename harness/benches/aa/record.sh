#!/usr/bin/env bash
# A/A pairs of this machine for bench `resample`: harness/benches/aa/record.sh DIR [PAIRS] [PAIRS OF CRITERION'S]
# Seven comparisons of something with itself, gates off, so that a busy machine's pairs are kept as they come. After `make build-harness`.
set -euo pipefail
out=${1:?where to}; pairs=${2:-120}; criterion=${3:-40}
cd "$(dirname "$0")/../../.."
mkdir -p "$out"
out=$(realpath "$out")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$work" <<'PY'
import random, sys
random.seed(1)
with open(sys.argv[1] + "/numbers", "w") as f:
    f.writelines(f"{random.randrange(10 ** 9)}\n" for _ in range(20000))
PY
cat > "$work/p50.py" <<'PY'
import hashlib, time
block, times = b"x" * 4096, []
for _ in range(3000):
    begin = time.perf_counter_ns()
    hashlib.sha256(block).digest()
    times.append(time.perf_counter_ns() - begin)
print("p50", sorted(times)[1500])
PY
cargo bench --locked -p amdahl-worker --bench passes --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1 | xargs -I{} cp {} "$work/passes"
cp "$work/passes" "$work/again"
amdahl=$PWD/target/release/amdahl
cd "$work"
ab() {
    local name=$1
    shift
    "$amdahl" ab --no-gates --no-sentinel --seed 7 --json-out "$out/$name.json" "$@" > /dev/null
}
twice() { local name=$1 command=$2; shift 2; ab "$name" --a "$command" --b "$command" "$@"; }
ab cpu --blocks "$pairs" --models rust/threads --workload cpu --param steps=10000
ab mutex --blocks "$pairs" --models rust/threads --workload lock --param lock=mutex --workers 2 --param steps=500
ab pipe --blocks "$pairs" --models rust/threads --workload pipe --workers 2
twice python 'python3 -S -c "sum(i*i for i in range(200000))"' --blocks "$pairs"
twice sort 'sort numbers' --blocks "$pairs"
twice p50 'python3 -S p50.py' --blocks "$pairs" --metric 'p50 ([0-9]+)' --better lower
ab criterion --blocks "$criterion" --criterion ./passes ./again
