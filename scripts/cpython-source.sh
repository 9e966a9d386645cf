#!/bin/sh
# Fetches the source of CPython from Debian, checked by apt against the archive's signature; prints the tarball's path.
# The machine's own apt configuration says from which mirror and with which keys; it is read, and not changed.
# Usage: cpython-source.sh VERSION DIR (writes only below DIR; a tarball that is there already is checked and kept)
set -eu
package=python$1
suite=trixie # the stable Debian that has it
dir=$2
root=${AMDAHL_RUNTIMES_ROOT:-} # for the tests: a machine that is a directory
apt=$dir/apt
mkdir -p "$dir/downloads" "$apt/parts" "$apt/state/lists/partial" "$apt/cache/archives/partial"
cd "$dir/downloads"

# The name is in the file of sums, which is written only when apt has vouched for the tarball.
kept() {
    sha256sum --check --status "$package.sha256" 2>/dev/null && sed "s:^[^ ]* .:$dir/downloads/:" "$package.sha256"
}

# The machine's Debian archives, whatever their suite, as sources of ours.
debian_sources() {
    find "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/ \( -name '*.list' -o -name '*.sources' \) \
        -exec awk -v suite="$suite" '
        function debian(s) {
            return s ~ /^(bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable)$/
        }
        function stanza() {
            if (wanted && main && !off && !seen[rest]++)
                print "Types: deb-src\nSuites: " suite "\nComponents: main\n" rest
            wanted = main = off = 0; rest = key = ""
        }
        FNR == 1 { stanza() }
        /^[ \t]*#/ { next }
        FILENAME ~ /list$/ && /^[ \t]*deb(-src)?[ \t]/ { # deb [key=value ...] URI suite component...
            sub(/#.*/, ""); sub(/^[ \t]*deb(-src)?[ \t]+/, "")
            if (match($0, /^\[[^]]*\]/)) {
                n = split(substr($0, 2, RLENGTH - 2), options, " "); $0 = substr($0, RLENGTH + 1)
                for (i = 1; i <= n; i++)
                    if (options[i] ~ /^(signed-by|trusted)=/) { sub(/=/, ": ", options[i]); rest = rest options[i] "\n" }
            }
            rest = "URIs: " $1 "\n" rest
            wanted = debian($2) && $1 !~ /^cdrom/
            for (i = 3; i <= NF; i++) main = main || $i == "main"
            stanza()
        }
        FILENAME ~ /list$/ { next }
        /^[ \t]*$/ { stanza(); next }
        /^[^ \t]/ { key = tolower($1); sub(/:.*/, "", key) }
        key == "suites" { for (i = 1; i <= NF; i++) wanted = wanted || debian($i); next }
        key == "components" { for (i = 1; i <= NF; i++) main = main || $i == "main"; next }
        key == "enabled" { off = tolower($NF) ~ /^(no|false|without|off|disable)$/; next }
        key == "types" || key == "architectures" { next }
        { rest = rest $0 "\n" }
        END { stanza() }' {} + 2>/dev/null || true # one of the two is not there
}

kept && exit
command -v apt-get >/dev/null || { echo "error: this machine has no apt-get" >&2; exit 1; }
debian_sources >"$apt/parts/machine.sources"
[ -s "$apt/parts/machine.sources" ] || { echo "error: the sources of apt name no Debian archive" >&2; exit 1; }
# The hooks of the machine would tidy up the machine.
echo '#clear APT::Update; #clear DPkg; APT::Sandbox::User "root";' >"$apt/apt.conf"
apt() {
    timeout --foreground 300 apt-get --config-file "$apt/apt.conf" -o Dir::Etc::sourcelist=/dev/null \
        -o Dir::Etc::sourceparts="$apt/parts" -o Dir::State="$apt/state" -o Dir::Cache="$apt/cache" \
        -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o Acquire::Retries=2 "$@" >&2
}
apt update || true # one archive may fail and the next have it: what counts is that the source comes
apt source --download-only --tar-only --only-source "$package"
# shellcheck disable=SC2012 # the names are Debian's, and the newest is wanted
sha256sum "$(ls -t "$package"_*.orig.tar.* | head -n 1)" >"$package.sha256"
rm -rf "$apt/state" "$apt/cache"
kept
