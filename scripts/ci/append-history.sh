#!/usr/bin/env bash
# Keeps the figures of B of a verdict (`amdahl ab --json-out FILE`) on an orphan branch, one line each in history.csv, for `amdahl history`.
#
#   append-history.sh VERDICT.json BRANCH [REMOTE]
#
# With REMOTE the branch is fetched first and pushed after; a push that another job overtook is tried again.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
verdict=$(realpath "$1") branch=$2 remote=${3-}
commit=$(git rev-parse HEAD)
rows() { # series,index,value; commits to main have one parent each, so their number is their place
    python3 - "$verdict" "$1" <<'PY'
import csv, json, sys
report = json.load(open(sys.argv[1]))
out = csv.writer(sys.stdout, lineterminator="\n")
for cell in report["cells"]:
    if cell["median_b"] is not None:
        out.writerow([cell["name"] + " " + cell["metric"], sys.argv[2], cell["median_b"]])
PY
}
index=$(git rev-list --first-parent --count HEAD)
lines=$(rows "$index")
[ -n "$lines" ] || { echo "append-history: $1 has no figures, so nothing is kept" >&2; exit 2; }
work=$(mktemp -d)
trap 'git worktree remove --force "$work/tree" 2>/dev/null || true; rm -rf "$work"' EXIT
for try in 1 2 3; do
    [ -z "$remote" ] || git fetch --quiet "$remote" "+$branch:refs/heads/$branch" 2>/dev/null || true
    if git rev-parse --quiet --verify "refs/heads/$branch" >/dev/null; then
        git worktree add --quiet --force "$work/tree" "$branch"
    else
        git worktree add --quiet --detach "$work/tree" HEAD
        git -C "$work/tree" checkout --quiet --orphan "$branch"
        git -C "$work/tree" rm -rfq --cached . && git -C "$work/tree" clean -fdxq
        echo series,index,value >"$work/tree/history.csv"
    fi
    printf '%s\n' "$lines" >>"$work/tree/history.csv"
    git -C "$work/tree" add history.csv
    git -C "$work/tree" commit --quiet -m "Figures of $commit"
    [ -n "$remote" ] || exit 0
    git -C "$work/tree" push --quiet "$remote" "$branch" && exit 0
    echo "append-history: push $try was refused" >&2
    git worktree remove --force "$work/tree" && git branch -qD "$branch"
done
exit 2
