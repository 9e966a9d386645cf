#!/bin/sh
# What the test machine must have beyond its base image; installs only what is missing.
set -eu
packages=""
command -v cc >/dev/null 2>&1 || packages="$packages gcc libc6-dev"
command -v c++ >/dev/null 2>&1 || packages="$packages g++"
command -v javac >/dev/null 2>&1 || packages="$packages default-jdk-headless"
command -v node >/dev/null 2>&1 || packages="$packages nodejs"
command -v make >/dev/null 2>&1 || packages="$packages make"
command -v python3 >/dev/null 2>&1 || packages="$packages python3"
command -v taskset >/dev/null 2>&1 || packages="$packages util-linux"
if [ -n "$packages" ]; then
    apt-get update -q
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $packages
fi
for component in rustfmt clippy; do
    cargo "$([ $component = rustfmt ] && echo fmt || echo clippy)" --version >/dev/null 2>&1 ||
        rustup component add "$component"
done
scripts/runtimes.sh
