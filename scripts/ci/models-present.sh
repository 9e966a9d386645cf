#!/bin/sh
# A machine that CI accepts: what it set up can be measured. Elsewhere an absent model is a row with a reason; here it is
# a failure. Usage: models-present.sh GLOB... (each must match a model that is available)
set -eu
target/release/amdahl list --json | python3 -c '
import fnmatch, json, sys

models = json.load(sys.stdin)["models"]
missing = False
for pattern in sys.argv[1:]:
    rows = [m for m in models if fnmatch.fnmatchcase(m["model"], pattern)]
    if not any(m["available"] for m in rows):
        missing = True
        reasons = [m["why"]["reason"] for m in rows] or ["nobody has heard of it"]
        print(f"missing: {pattern}: {reasons[0]}", file=sys.stderr)
sys.exit(missing)
' "$@"
