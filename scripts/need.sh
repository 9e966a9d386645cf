#!/bin/sh
# Names what is missing on this machine, with the command that installs it. Usage: need.sh TOOL...
set -u
missing=0
for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 && continue
    missing=1
    case $tool in
        cargo) how="a Rust toolchain: https://rustup.rs, or: apt-get install rustup && rustup default stable" ;;
        cc) how="a C compiler: apt-get install gcc (Debian, Ubuntu), dnf install gcc (Fedora)" ;;
        python3) how="CPython: apt-get install python3 (Debian, Ubuntu), dnf install python3 (Fedora)" ;;
        *) how="apt-get install $tool" ;;
    esac
    echo "missing: $tool; install $how" >&2
done
exit $((missing * 2))
