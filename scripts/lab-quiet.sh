#!/bin/sh
# Makes a lab machine quiet and steady enough to measure on, and puts it back.
#
#   lab-quiet.sh             shows the machine, what it would change, and who is busy
#   lab-quiet.sh --apply     changes it (root)
#   lab-quiet.sh --restore   puts back exactly what was there (root)
#
#   --smt-off                also switches SMT siblings off
#   --housekeeping LIST      CPUs for services and interrupts (default: the first core, if there are four or more)
#
# What is not there on this machine is not touched. What was there before lies in /run: a reboot
# forgets it, as it does the changes. Exit status: 0 done, 2 something could not be done.
#
# AMDAHL_LAB_QUIET_ROOT puts another directory before /sys, /proc and /run, for tests.
set -u

root=${AMDAHL_LAB_QUIET_ROOT:-}
state=$root/run/amdahl-lab-quiet.state
cpus=/sys/devices/system/cpu
tab=$(printf '\t')
mode=show
smt_off=0
housekeeping=
status=0

main() {
    while [ $# -gt 0 ]; do
        case $1 in
            --apply) mode=apply ;;
            --restore) mode=restore ;;
            --smt-off) smt_off=1 ;;
            --housekeeping) [ $# -ge 2 ] || usage; housekeeping=$2; shift ;;
            *) usage ;;
        esac
        shift
    done
    if [ $mode != show ] && [ "$(id -u)" -ne 0 ]; then
        echo "lab-quiet: --$mode writes to /sys and /proc: run it as root (sudo $0 --$mode)" >&2
        exit 2
    fi
    if [ $mode = restore ]; then
        restore
        exit $?
    fi
    frequency
    kernel_noise
    services_and_interrupts
    # Last, so that it is put back first: the settings of a CPU can't be written while it is off.
    [ $smt_off -eq 0 ] || smt
    busiest
    case $mode in
        show) echo "nothing was changed; --apply does it (as root), --restore puts it back" ;;
        apply) echo "applied; --restore puts back what was there before" ;;
    esac
    exit $status
}

usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

frequency() {
    policies=0
    changed=0
    for policy in "$root$cpus"/cpufreq/policy[0-9]*; do
        dir=${policy#"$root"}
        grep -qw performance "$policy/scaling_available_governors" 2>/dev/null || continue
        policies=$((policies + 1))
        # The governor changes the preference behind our back, so it is put back after it.
        keep "$dir/energy_performance_preference"
        change "$dir/scaling_governor" performance && changed=$((changed + 1))
        [ $? -ne 2 ] || failed "$dir/scaling_governor"
    done
    case $policies,$changed in
        0,*) say "governor" "no cpufreq here: firmware or the hypervisor sets the frequency" ;;
        *,0) say "governor" "already performance" ;;
        *) say "governor" "-> performance ($changed of $policies policies have another)" ;;
    esac
    if [ -e "$root$cpus/intel_pstate/no_turbo" ]; then
        want $cpus/intel_pstate/no_turbo 1 "no_turbo (boost off)"
    elif [ -e "$root$cpus/cpufreq/boost" ]; then
        want $cpus/cpufreq/boost 0 "boost"
    else
        say "boost" "no switch for it here"
    fi
}

kernel_noise() {
    want /proc/sys/kernel/numa_balancing 0 "NUMA balancing"
    want /proc/sys/kernel/nmi_watchdog 0 "NMI watchdog"
}

smt() {
    case $(cat "$root$cpus/smt/control" 2>/dev/null) in
        on) want $cpus/smt/control off "SMT" ;;
        '') say "SMT" "no switch for it here" ;;
        *) say "SMT" "already $(cat "$root$cpus/smt/control")" ;;
    esac
}

services_and_interrupts() {
    if [ -z "$housekeeping" ]; then
        cores=$(cat "$root$cpus"/cpu[0-9]*/topology/thread_siblings_list 2>/dev/null | sort -u | wc -l)
        if [ "$cores" -lt 4 ]; then
            say "services" "left where they are: of $((cores)) cores none can be spared (--housekeeping LIST insists)"
            return
        fi
        housekeeping=$(cat "$root$cpus/cpu0/topology/thread_siblings_list")
    fi
    if [ -d "$root/run/systemd/system" ] && [ -e "$root/sys/fs/cgroup/cgroup.controllers" ]; then
        for unit in system.slice init.scope machine.slice; do
            confine_unit $unit
        done
    elif [ -e "$root/sys/fs/cgroup/cgroup.controllers" ]; then
        for group in "$root"/sys/fs/cgroup/*/cpuset.cpus; do
            [ -e "$group" ] || continue
            name=${group%/cpuset.cpus}
            is_ours "${name##*/}" || want "${group#"$root"}" "$housekeeping" "group ${name##*/}"
        done
    else
        say "services" "left where they are: no control groups v2 here"
    fi
    irqs=0
    for irq in "$root"/proc/irq/[0-9]*/smp_affinity_list; do
        # Some are the kernel's own, and it refuses.
        change "${irq#"$root"}" "$housekeeping" && irqs=$((irqs + 1))
    done
    say "interrupts" "$irqs -> $housekeeping (those that the kernel manages itself stay)"
    say "measure on" "taskset -c $(others) amdahl run …"
}

# confine_unit UNIT: services of systemd to the housekeeping CPUs, unless the measuring would be among them.
confine_unit() {
    if is_ours "$1"; then
        say "$1" "left as it is: this shell, and so the measuring, is in it"
        return
    fi
    old=$(systemctl show -p AllowedCPUs --value "$1" 2>/dev/null) || return 0
    [ "$old" != "$housekeeping" ] || return 0
    say "$1" "${old:-all CPUs} -> $housekeeping"
    [ $mode = apply ] || return 0
    remember unit "$1" "$old"
    systemctl set-property --runtime "$1" "AllowedCPUs=$housekeeping" || failed "$1"
}

is_ours() {
    case $(sed -n 's/^0:://p' "$root/proc/self/cgroup" 2>/dev/null)/ in
        /"$1"/*) return 0 ;;
    esac
    return 1
}

# The online CPUs without the housekeeping ones, as a list.
others() {
    printf '%s\n%s\n' "$housekeeping" "$(cat "$root$cpus/online")" | awk '
        { n = split($0, parts, ",")
          for (p = 1; p <= n; p++) {
              split(parts[p], ends, "-")
              last = ends[2] == "" ? ends[1] : ends[2]
              for (cpu = ends[1] + 0; cpu <= last + 0; cpu++)
                  if (NR == 1) taken[cpu] = 1
                  else if (!(cpu in taken)) { printf "%s%s", separator, cpu; separator = "," }
          } }
        END { print "" }'
}

# want FILE VALUE NAME: FILE shall hold VALUE, if there is such a file.
want() {
    old=$(cat "$root$1" 2>/dev/null) || return 0
    if [ "$old" = "$2" ]; then
        say "$3" "already $2"
        return 0
    fi
    say "$3" "${old:-empty} -> $2"
    change "$1" "$2" || failed "$1"
}

# change FILE VALUE: 0 if it is (or, when only showing, would be) changed, 1 if nothing is to do, 2 if refused.
change() {
    old=$(cat "$root$1" 2>/dev/null) || return 1
    [ "$old" != "$2" ] || return 1
    [ $mode = apply ] || return 0
    remember file "$1" "$old"
    put "$1" "$2" || return 2
}

# keep FILE: not changed by us, but to be put back.
keep() {
    [ $mode = apply ] || return 0
    old=$(cat "$root$1" 2>/dev/null) || return 0
    remember file "$1" "$old"
}

put() {
    { printf '%s\n' "$2" >"$root$1"; } 2>/dev/null
}

# remember KIND NAME OLD. Put back in the opposite order, so after --apply twice the first value wins.
remember() {
    if ! printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$state"; then
        echo "lab-quiet: can't write $state, so nothing could be put back: stopped" >&2
        exit 2
    fi
}

# In the opposite order; what can't be put back stays in the state file.
restore() {
    if [ ! -s "$state" ]; then
        echo "nothing to put back: no $state (not applied, or the machine has been restarted since)"
        return 0
    fi
    awk '{ line[NR] = $0 } END { for (i = NR; i > 0; i--) print line[i] }' "$state" >"$state.reversed"
    : >"$state.left"
    while IFS=$tab read -r kind name old; do
        if ! put_back "$kind" "$name" "$old"; then
            failed "$name"
            printf '%s\t%s\t%s\n' "$kind" "$name" "$old" | cat - "$state.left" >"$state.new"
            mv "$state.new" "$state.left"
        fi
    done <"$state.reversed"
    rm "$state.reversed"
    if [ -s "$state.left" ]; then mv "$state.left" "$state"; else rm -f "$state.left" "$state"; fi
    return $status
}

put_back() {
    case $1 in
        unit)
            say "$2" "-> ${3:-all CPUs}"
            systemctl set-property --runtime "$2" "AllowedCPUs=$3"
            ;;
        *)
            # Something that is gone, or that never changed, needs nothing.
            [ -e "$root$2" ] && [ "$(cat "$root$2")" != "$3" ] || return 0
            say "$2" "-> ${3:-empty}"
            put "$2" "$3"
            ;;
    esac
}

# The busiest processes of a second, other than ours.
busiest() {
    before=$(cpu_ticks)
    sleep 1
    after=$(cpu_ticks)
    hz=$(getconf CLK_TCK 2>/dev/null || echo 100)
    echo "busiest in one second (stop what is not needed):"
    printf '%s\n-\n%s\n' "$before" "$after" | awk -v hz="$hz" -v self=$$ '
        $0 == "-" { second = 1; next }
        !second { ticks[$1] = $2; next }
        $1 != self && $1 in ticks && $2 > ticks[$1] {
            used = ($2 - ticks[$1]) * 100 / hz
            pid = $1; $1 = $2 = ""; sub(/^ +/, "")
            printf "%d\t%s (pid %s)\n", used, $0, pid
        }' | sort -rn | head -5 | awk -F"$tab" '
        { printf "  %3d %% of a CPU  %s\n", $1, $2; some = 1 }
        END { if (!some) print "  none" }'
}

# Lines `pid ticks name`. The name may hold anything, so the fields are counted from its last bracket.
cpu_ticks() {
    cat "$root"/proc/[0-9]*/stat 2>/dev/null | awk '
        match($0, /^[0-9]+ \(/) {
            pid = $1
            end = 0
            for (i = length($0); i > 0 && !end; i--) if (substr($0, i, 1) == ")") end = i
            name = substr($0, RLENGTH + 1, end - RLENGTH - 1)
            split(substr($0, end + 2), field, " ")
            print pid, field[12] + field[13], name
        }'
}

say() {
    printf '%-22s %s\n' "$1" "$2"
}

failed() {
    echo "lab-quiet: could not change $1" >&2
    status=2
}

main "$@"
