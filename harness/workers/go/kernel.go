package main

// The clock, and what the kernel says of a thread.

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const unknown = ^uint64(0)

// Since reads CLOCK_MONOTONIC in the vDSO, but relative to a time of this process; epochNS makes it absolute.
var (
	epoch                = time.Now()
	epochNS, epochWithin = calibrate()
)

func now() uint64 { return epochNS + uint64(time.Since(epoch)) }

// calibrate returns the reading of CLOCK_MONOTONIC at epoch and how far it may be off. Each system call
// lies between two readings of the runtime's clock, and so bounds it on both sides; all bounds hold. It does
// not drift: both are one clock.
func calibrate() (at, within uint64) {
	var p probe
	low, high := uint64(0), unknown
	for i := 0; i < 2000; i++ {
		before := uint64(time.Since(epoch))
		absolute := p.clock(1) // CLOCK_MONOTONIC
		after := uint64(time.Since(epoch))
		if least := absolute - after; least > low {
			low = least
		}
		if most := absolute - before; most < high {
			high = most
		}
	}
	return low + (high-low)/2, (high - low + 1) / 2
}

// await sleeps until spin before the start and spins the rest; the moment it saw the start.
func await(start, spin uint64) uint64 {
	for left := int64(start - spin - now()); left > 0; left = int64(start - spin - now()) {
		time.Sleep(time.Duration(left))
	}
	for {
		if t := now(); t >= start {
			return t
		}
	}
}

// A probe reads what the kernel says of threads. Its system calls are raw ones: they allocate nothing, and the
// scheduler does not hear of them, so that a reading is never the reason for a switch of goroutines.
type probe struct {
	time  syscall.Timespec
	usage syscall.Rusage
	where uint32
	text  [96]byte
}

// ask makes a system call that fills what it is given; false if it fails.
func ask(call, a uintptr, result unsafe.Pointer) bool {
	_, _, e := syscall.RawSyscall(call, a, uintptr(result), 0)
	return e == 0
}

func (p *probe) clock(id int32) uint64 {
	if !ask(syscall.SYS_CLOCK_GETTIME, uintptr(id), unsafe.Pointer(&p.time)) {
		return unknown
	}
	return uint64(p.time.Nano())
}

// threadClock is the CPU clock of any thread of this process: the kernel's encoding of its id.
func threadClock(tid int) int32 { return int32(^tid<<3 | 6) }

// delay reads the second field of an open schedstat file: time runnable without a CPU.
func (p *probe) delay(fd int) uint64 {
	n, _, e := syscall.RawSyscall6(syscall.SYS_PREAD64, uintptr(fd), uintptr(unsafe.Pointer(&p.text)), uintptr(len(p.text)), 0, 0, 0)
	if e != 0 {
		return unknown
	}
	field, value := 0, unknown
	for _, c := range p.text[:n] {
		switch {
		case c == ' ' || c == '\n':
			field++
		case field == 1 && value == unknown:
			value = uint64(c - '0')
		case field == 1:
			value = value*10 + uint64(c-'0')
		}
	}
	return value
}

func (p *probe) switches() (voluntary, involuntary uint64) {
	if !ask(syscall.SYS_GETRUSAGE, 1, unsafe.Pointer(&p.usage)) { // RUSAGE_THREAD
		return unknown, unknown
	}
	return uint64(p.usage.Nvcsw), uint64(p.usage.Nivcsw)
}

// getcpu has no constant in package syscall on all architectures; 0: not known here.
var getcpu = map[string]uintptr{"amd64": 309, "arm64": 168, "riscv64": 168, "loong64": 168}[runtime.GOARCH]

func (p *probe) cpu() uint64 {
	if _, _, e := syscall.RawSyscall(getcpu, uintptr(unsafe.Pointer(&p.where)), 0, 0); getcpu == 0 || e != 0 {
		return unknown
	}
	return uint64(p.where)
}

// raiseFileLimit allows as many open files as the user may have: N workers with FIFOs need 3 N.
func raiseFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}
