#!/usr/bin/env bash
# Is this branch slower than where it began? Builds the merge-base and HEAD side by side and lets `amdahl ab` judge them in this one job, on
# this one machine: figures of another day and another runner are no base. For any CI system, or by hand.
#
#   compare-with-base.sh --base origin/main --build 'make release' --run '{dir}/bin/app {dir}/input' [-- arguments of amdahl ab]
#   compare-with-base.sh --base origin/main --build 'make benches' --criterion '{dir}/bench' [-- arguments of amdahl ab]
#
# {dir} becomes the directory of either side; the two have paths of the same length. --criterion names a Criterion bench executable instead
# of a command. Exit status: that of `amdahl ab`: 1 for a regression, 0 also where it can't be told (add `-- --strict` for 3), 2 if it could
# not be done; with --allow-missing-base 0 where there is no base or it does not build. AMDAHL names the program if it is not on PATH.
set -euo pipefail

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
say() { printf 'compare-with-base: %s\n' "$*" >&2; }
no_base() { say "$1"; [ -n "$allow" ] || exit 2; say "nothing compared"; exit 0; }

base='' build='' run='' criterion='' allow=''
while [ $# -gt 0 ]; do
    case "$1" in
        --base) base=${2-}; shift 2 || usage ;;
        --build) build=${2-}; shift 2 || usage ;;
        --run) run=${2-}; shift 2 || usage ;;
        --criterion) criterion=${2-}; shift 2 || usage ;;
        --allow-missing-base) allow=yes; shift ;;
        --) shift; break ;;
        *) say "unknown argument: $1"; usage ;;
    esac
done
# One of the two, and only one.
if [ -z "$base" ] || [ -z "$run$criterion" ] || { [ -n "$run" ] && [ -n "$criterion" ]; }; then usage; fi
what=$run$criterion
case "$what" in *'{dir}'*) ;; *) say "'$what' has no {dir}: both sides would be the same program"; exit 2 ;; esac
amdahl=${AMDAHL:-amdahl}
command -v "$amdahl" >/dev/null || { say "no $amdahl on PATH: cargo install --path harness, or set AMDAHL"; exit 2; }

top=$(git rev-parse --show-toplevel)
git rev-parse --quiet --verify "$base^{commit}" >/dev/null ||
    no_base "no commit $base here; a shallow clone lacks it: git fetch --unshallow, or fetch-depth: 0"
from=$(git merge-base "$base" HEAD) || no_base "$base and HEAD have no common ancestor here; fetch more history"
head=$(git rev-parse HEAD)
[ "$from" != "$head" ] || say "HEAD is its own merge-base with $base: comparing it with itself"

work=$(mktemp -d)
# shellcheck disable=SC2317 # called by the trap
cleanup() {
    for side in base head; do git -C "$top" worktree remove --force "$work/$side" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

for side in base head; do
    commit=$from
    [ "$side" = base ] || commit=$head
    git -C "$top" worktree add --quiet --detach "$work/$side" "$commit"
    if [ -n "$build" ] && ! (cd "$work/$side" && bash -c "$build") >&2; then
        why="$side (${commit:0:12}) does not build with: $build"
        [ "$side" = head ] || no_base "$why"
        say "$why"
        exit 2
    fi
done
say "A is ${from:0:12}, B is ${head:0:12}"
status=0
if [ -n "$run" ]; then
    set -- --a "${run//'{dir}'/$work/base}" --b "${run//'{dir}'/$work/head}" "$@"
else
    set -- --criterion "${criterion//'{dir}'/$work/base}" "${criterion//'{dir}'/$work/head}" "$@"
fi
"$amdahl" ab "$@" || status=$?
exit "$status"
