#!/bin/sh
# lab-quiet.sh on machines that are directories: what it shows, changes, leaves alone, and puts back.
# id, sleep and systemctl are stand-ins, so this needs neither root nor a machine with those switches.
set -eu
script=$(cd "$(dirname "$0")" && pwd)/lab-quiet.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
export PATH="$work/bin:$PATH"

fail() {
    echo "test-lab-quiet: $*" >&2
    exit 1
}

# file PATH VALUE in the machine.
file() {
    mkdir -p "$(dirname "$AMDAHL_LAB_QUIET_ROOT/$1")"
    printf '%s\n' "$2" >"$AMDAHL_LAB_QUIET_ROOT/$1"
}

# holds PATH VALUE
holds() {
    [ "$(cat "$AMDAHL_LAB_QUIET_ROOT/$1")" = "$2" ] || fail "$1 holds $(cat "$AMDAHL_LAB_QUIET_ROOT/$1"), not $2"
}

# says TEXT OUTPUT
says() {
    case $2 in *"$1"*) ;; *) fail "does not say \`$1\`, but: $2" ;; esac
}

machine() {
    export AMDAHL_LAB_QUIET_ROOT="$work/$1"
    mkdir "$AMDAHL_LAB_QUIET_ROOT" "$AMDAHL_LAB_QUIET_ROOT/run"
}

everything() {
    (cd "$AMDAHL_LAB_QUIET_ROOT" && find . -type f | sort | while read -r f; do echo "$f $(cat "$f")"; done)
}

stand_in() {
    cat >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}

stand_in id <<'EOT'
#!/bin/sh
echo "${FAKE_UID:-0}"
EOT

# While the script waits, process 77 burns 42 ticks.
stand_in sleep <<'EOT'
#!/bin/sh
stat=$AMDAHL_LAB_QUIET_ROOT/proc/77/stat
[ ! -e "$stat" ] || echo '77 (a (b) c) R 1 1 1 0 0 0 0 0 0 0 30 32 0 0 20' >"$stat"
EOT

stand_in systemctl <<'EOT'
#!/bin/sh
case $1 in
    show) cat "$AMDAHL_LAB_QUIET_ROOT/units/$5" ;;
    set-property) printf '%s' "${4#AllowedCPUs=}" >"$AMDAHL_LAB_QUIET_ROOT/units/$3" ;;
esac
EOT

cpu=sys/devices/system/cpu
lab_machine() {
    machine "$1"
    for n in 0 1 2 3; do
        file $cpu/cpufreq/policy$n/scaling_available_governors "performance powersave"
        file $cpu/cpufreq/policy$n/scaling_governor powersave
        file $cpu/cpufreq/policy$n/energy_performance_preference balance_power
        file $cpu/cpu$n/topology/thread_siblings_list "$n,$((n + 4))"
        file $cpu/cpu$((n + 4))/topology/thread_siblings_list "$n,$((n + 4))"
    done
    file $cpu/cpufreq/policy2/scaling_governor performance
    file $cpu/intel_pstate/no_turbo 0
    file $cpu/smt/control on
    file $cpu/online 0-7
    file proc/sys/kernel/numa_balancing 1
    file proc/sys/kernel/nmi_watchdog 1
    file proc/self/cgroup "0::/user.slice/user-0.slice/session-1.scope"
    file proc/irq/9/smp_affinity_list 0-7
    file proc/irq/30/smp_affinity_list 3
    file proc/77/stat '77 (a (b) c) R 1 1 1 0 0 0 0 0 0 0 10 10 0 0 20'
    file sys/fs/cgroup/cgroup.controllers "cpuset cpu"
    mkdir -p "$AMDAHL_LAB_QUIET_ROOT/run/systemd/system"
    file units/system.slice ""
    file units/init.scope 0-3
    : >"$AMDAHL_LAB_QUIET_ROOT/units/system.slice"
    printf 0-3 >"$AMDAHL_LAB_QUIET_ROOT/units/init.scope"
}

# By default it shows, and changes nothing; root is not needed for that.
lab_machine shown
before=$(everything | grep -v proc/77)
said=$(FAKE_UID=1000 "$script")
[ "$before" = "$(everything | grep -v proc/77)" ] || fail "changed something without --apply"
says "-> performance (3 of 4 policies have another)" "$said"
says "taskset -c 1,2,3,5,6,7 amdahl run" "$said"
says "42 % of a CPU  a (b) c (pid 77)" "$said"
says "nothing was changed" "$said"

# Without root, --apply says how and changes nothing.
status=0
said=$(FAKE_UID=1000 "$script" --apply 2>&1) || status=$?
[ $status -eq 2 ] || fail "--apply without root: status $status"
says "as root" "$said"
[ "$before" = "$(everything | grep -v proc/77)" ] || fail "changed something without root"

# --apply sets it all; SMT stays.
lab_machine applied
before=$(everything | grep -v proc/77)
"$script" --apply >/dev/null
holds $cpu/cpufreq/policy0/scaling_governor performance
holds $cpu/intel_pstate/no_turbo 1
holds proc/sys/kernel/numa_balancing 0
holds proc/sys/kernel/nmi_watchdog 0
holds $cpu/smt/control on
holds units/system.slice 0,4
holds units/init.scope 0,4
holds proc/irq/9/smp_affinity_list 0,4
# The kernel changes the preference together with the governor.
file $cpu/cpufreq/policy0/energy_performance_preference performance

# A second time, with more, it still knows what was there first.
"$script" --apply --smt-off >/dev/null
holds $cpu/smt/control off
"$script" --restore >/dev/null
after=$(everything | grep -v proc/77)
[ "$before" = "$after" ] || fail "not put back exactly: $before
--- after:
$after"
says "nothing to put back" "$("$script" --restore)"

# What can't be put back is named, and stays for another attempt. (The file becomes a directory.)
lab_machine stubborn
"$script" --apply >/dev/null
governor=$AMDAHL_LAB_QUIET_ROOT/$cpu/cpufreq/policy0/scaling_governor
rm "$governor" && mkdir "$governor"
status=0
said=$("$script" --restore 2>&1) || status=$?
[ $status -eq 2 ] || fail "--restore that can't: status $status"
says "could not change /$cpu/cpufreq/policy0/scaling_governor" "$said"
rmdir "$governor" && echo performance >"$governor"
"$script" --restore >/dev/null
holds $cpu/cpufreq/policy0/scaling_governor powersave
holds $cpu/cpufreq/policy1/scaling_governor powersave

# Measuring inside system.slice: it stays.
lab_machine service
file proc/self/cgroup "0::/system.slice/ssh.service"
says "system.slice           left as it is" "$("$script" --apply)"
holds units/system.slice ""
holds units/init.scope 0,4

# AMD's switch, control groups without systemd, CPUs as asked.
machine groups
file $cpu/cpufreq/boost 1
file $cpu/online 0-1
file sys/fs/cgroup/cgroup.controllers cpuset
file sys/fs/cgroup/daemons/cpuset.cpus ""
file sys/fs/cgroup/lab/cpuset.cpus ""
file proc/self/cgroup "0::/lab/shell"
"$script" --apply --housekeeping 0 >/dev/null
holds $cpu/cpufreq/boost 0
holds sys/fs/cgroup/daemons/cpuset.cpus 0
holds sys/fs/cgroup/lab/cpuset.cpus ""

# A guest with nothing to set: nothing is made up.
machine bare
file $cpu/online 0-1
said=$("$script" --apply)
says "no cpufreq here" "$said"
says "left where they are" "$said"
[ "$(everything)" = "./$cpu/online 0-1" ] || fail "made something up: $(everything)"

"$script" --nonsense >/dev/null 2>&1 && fail "an unknown flag is accepted"
echo "lab-quiet.sh: all tests passed"
