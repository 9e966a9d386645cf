// Worker of the harness in Go: goroutines that do the same work as every language.
//
// Speaks PROTOCOL.md version 1 on stdin and stdout with nothing but the standard library, on Linux, from
// Go 1.18 on. What lives here: the lines, the hot loops, their record, and the two ways to run N of them
// at once. What never will: pinning, counters, statistics (all the harness's). README.md says how each
// choice touches fairness.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	version      = "1"
	features     = "alternate,spans"
	workloads    = "noop,cpu,sleep,pipe,mem,serial"
	mechanisms   = "goroutines,goroutines-pinned"
	modulus      = 2147483647
	lineMax      = 1 << 20
	leadNS       = 25000000
	warmNS       = 250000  // one interval of a warm-up run
	spansMax     = 1 << 16 // ends of operations that fit a line
	intervalsMax = 1 << 16
	histsMax     = 16 << 20 // bytes of a cell's histograms, above which a worker keeps one over all windows
	buckets      = 32 << 10 // of a histogram: one of its own for every duration up to 73 minutes
	switchNS     = 10000000 // runtime.forcePreemptNS: sysmon preempts a goroutine after 10 ms
	cpuSteps     = 30000    // constants, never calibrated: trials are compared by operations
	serialSteps  = 400000
	patience     = 4096 // turns of a spinning wait before it yields the CPU
	spares       = 4    // threads beyond GOMAXPROCS: one polls the network, others return from system calls
	pinnedMax    = 8192 // threads; the runtime aborts at 10000
	unknown      = ^uint64(0)
)

// A failure is what an `error` line says: its kind and a message that names the next step.
type failure struct{ kind, message string }

func (f failure) Error() string { return f.message }

func refuse(format string, values ...any) error {
	return failure{"unsupported", fmt.Sprintf(format, values...)}
}

// --- Clock and what the kernel says of threads ---------------------------------------------------------

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

// A probe reads what the kernel says of threads. Its system calls are raw ones: they allocate nothing, and the
// scheduler does not hear of them, so that a reading is never the reason for a switch of goroutines.
type probe struct {
	time  syscall.Timespec
	usage syscall.Rusage
	where uint32
	text  [96]byte
}

func (p *probe) clock(id int32) uint64 {
	_, _, e := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&p.time)), 0)
	if e != 0 {
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
	const thread = 1 // RUSAGE_THREAD
	_, _, e := syscall.RawSyscall(syscall.SYS_GETRUSAGE, thread, uintptr(unsafe.Pointer(&p.usage)), 0)
	if e != 0 {
		return unknown, unknown
	}
	return uint64(p.usage.Nvcsw), uint64(p.usage.Nivcsw)
}

// getcpu has no constant in package syscall on all architectures; 0: not known here.
var getcpu = map[string]uintptr{"amd64": 309, "arm64": 168, "riscv64": 168, "loong64": 168}[runtime.GOARCH]

func (p *probe) cpu() uint64 {
	if getcpu == 0 {
		return unknown
	}
	if _, _, e := syscall.RawSyscall(getcpu, uintptr(unsafe.Pointer(&p.where)), 0, 0); e != 0 {
		return unknown
	}
	return uint64(p.where)
}

// A thread is one that exists, with its schedstat file; fd is -1 where there is none.
type thread struct{ tid, fd int }

func openThread(tid int) (thread, error) {
	fd, err := syscall.Open(fmt.Sprintf("/proc/self/task/%d/schedstat", tid), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err == syscall.EMFILE || err == syscall.ENFILE {
		return thread{}, failure{"internal", "too many open files; raise `ulimit -n`"}
	}
	if err != nil {
		fd = -1
	}
	return thread{tid, fd}, nil
}

func threadIDs() ([]int, error) {
	entries, err := os.ReadDir("/proc/self/task")
	var tids []int
	for _, entry := range entries {
		if tid, err := strconv.Atoi(entry.Name()); err == nil {
			tids = append(tids, tid)
		}
	}
	return tids, err
}

// growThreads makes the runtime create n threads, which it keeps: n goroutines that hold one each at the same time.
func growThreads(n int) {
	held, leave := make(chan bool), make(chan bool)
	for i := 0; i < n; i++ {
		go func() {
			runtime.LockOSThread()
			held <- true
			<-leave
			runtime.UnlockOSThread()
			held <- false
		}()
	}
	for i := 0; i < n; i++ {
		<-held
	}
	close(leave)
	for i := 0; i < n; i++ {
		<-held
	}
}

// --- The work ------------------------------------------------------------------------------------------

// An operation does the work of one worker.
type operation interface {
	// begin resets it for a release, and says how many operations a run is.
	begin(timed bool) uint64
	// run does operation i and those after it that belong to the run; more is false if there is no work left.
	run(i uint64) (result uint64, more bool)
}

// plain is what operations have in common, and keeps what one writes off the cache lines of another.
type plain struct{ _ [128]byte }

func (plain) begin(bool) uint64 { return 1 }

type noop struct {
	plain
	batch, size uint64
}

func (o *noop) begin(timed bool) uint64 {
	o.size = o.batch
	if timed {
		o.size = 1
	}
	return o.size
}

func (o *noop) run(i uint64) (sum uint64, more bool) {
	for end := i + o.size; i != end; i++ {
		sum += nothing(i)
	}
	return sum, true
}

//go:noinline
func nothing(uint64) uint64 { return 1 }

// minstd is the chain of Park, Miller and Stockmeyer: each step needs the one before.
//
//go:noinline
func minstd(x, steps uint64) uint64 {
	for ; steps > 0; steps-- {
		x = x * 48271 % modulus
	}
	return x
}

type cpu struct {
	plain
	steps uint64
}

func (o *cpu) run(i uint64) (uint64, bool) { return minstd(1+i%64, o.steps), true }

type sleep struct {
	plain
	duration time.Duration
}

func (o *sleep) run(uint64) (uint64, bool) {
	time.Sleep(o.duration)
	return 1, true
}

// pipe uses the runtime's poller, as files of Go do: a wait parks the goroutine, not its thread.
type pipe struct {
	plain
	request, response *os.File
	question, answer  [1]byte
}

func openPipe(dir string, number uint64) (*pipe, error) {
	path, o := fmt.Sprintf("%s/w%d.", dir, number), &pipe{}
	var err error
	if o.request, err = os.OpenFile(path+"req", os.O_RDWR, 0); err == nil {
		o.response, err = os.OpenFile(path+"rsp", os.O_RDWR, 0)
	}
	return o, err
}

func (o *pipe) run(i uint64) (uint64, bool) {
	o.question[0] = byte(i % 251)
	if _, err := o.request.Write(o.question[:]); err != nil {
		panic(err)
	}
	if _, err := o.response.Read(o.answer[:]); err != nil {
		panic(err)
	}
	return uint64(o.answer[0]), true
}

// table maps memory that the collector neither scans nor counts; a refusal is an error line, not the end.
func table(bytes uint64) (unsafe.Pointer, error) {
	if memory, err := syscall.Mmap(-1, 0, int(bytes), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE); err == nil {
		return unsafe.Pointer(&memory[0]), nil
	}
	return nil, failure{"oom", fmt.Sprintf("no memory for a table of %d bytes; smaller `bytes` or fewer workers", bytes)}
}

// chase follows a cycle through all lines: each load waits for the one before.
type chase struct {
	plain
	next     []uint32 // one in 16 is used: a line is 64 bytes
	k, steps uint64
}

func newChase(bytes, steps uint64) (*chase, error) {
	lines := uint64(1) << (bits.Len64(bytes/64) - 1)
	memory, err := table(lines * 64)
	if err != nil {
		return nil, err
	}
	o := &chase{next: unsafe.Slice((*uint32)(memory), lines*16), steps: steps}
	for k := uint64(0); k < lines; k++ {
		o.next[k*16] = uint32((1103515245*k + 12345) % lines)
	}
	return o, nil
}

func (o *chase) begin(bool) uint64 {
	o.k = 0
	return 1
}

func (o *chase) run(uint64) (uint64, bool) {
	next, k := o.next, o.k
	for n := o.steps; n > 0; n-- {
		k = uint64(next[k*16])
	}
	o.k = k
	return k, true
}

type stream struct {
	plain
	elements      []uint64
	chunk, chunks uint64
}

func newStream(bytes, chunk uint64) (*stream, error) {
	memory, err := table(bytes)
	if err != nil {
		return nil, err
	}
	o := &stream{elements: unsafe.Slice((*uint64)(memory), bytes/8), chunk: chunk / 8, chunks: bytes / chunk}
	for j := range o.elements {
		o.elements[j] = uint64(j)
	}
	return o, nil
}

// Four sums at a time: with one, the additions could be slower than the memory.
func (o *stream) run(i uint64) (uint64, bool) {
	from := i % o.chunks * o.chunk
	part := o.elements[from : from+o.chunk]
	var a, b, c, d uint64
	for ; len(part) >= 4; part = part[4:] {
		a, b, c, d = a+part[0], b+part[1], c+part[2], d+part[3]
	}
	for _, x := range part {
		a += x
	}
	return (a + b + c + d) % modulus, true
}

// A team meets before each round and has one lock, served in order of arrival. Words that one worker writes
// while others spin on another lie in lines of their own.
type team struct {
	_              [128]byte
	arrived        uint64
	_              [128]byte
	gate           uint64 // the last round that may run, and in its lowest bit whether to stop instead
	_              [128]byte
	next           uint64
	_              [128]byte
	serving        uint64
	_              [128]byte
	stop           uint32
	size, patience uint64
}

func newTeam(size int, turns bool) *team {
	t := &team{size: uint64(size), patience: patience}
	if turns {
		t.patience = 0
	}
	return t
}

// meet waits for all; false if one of them asked to stop before it came. The last one decides for all: a flag that
// each read for itself might be raised, by a fast one in the round, before a slow one has looked.
func (t *team) meet(round uint64) bool {
	if atomic.AddUint64(&t.arrived, 1) == t.size*round {
		stop := atomic.SwapUint32(&t.stop, 0)
		atomic.StoreUint64(&t.gate, round<<1|uint64(stop))
		return stop == 0
	}
	for turn := uint64(0); ; turn++ {
		if gate := atomic.LoadUint64(&t.gate); gate>>1 >= round {
			return gate&1 == 0
		}
		t.wait(turn)
	}
}

// wait gives the processor to other goroutines, and the CPU to other threads: there may be fewer of either.
func (t *team) wait(turn uint64) {
	if turn >= t.patience {
		runtime.Gosched()
		syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

type serial struct {
	plain
	team                   *team
	round, outside, inside uint64
}

func (o *serial) join(t *team) { o.team, o.round = t, 0 }

func (o *serial) run(i uint64) (uint64, bool) {
	o.round++
	t := o.team
	if !t.meet(o.round) {
		return 0, false
	}
	x := minstd(1+i%64, o.outside)
	ticket := atomic.AddUint64(&t.next, 1) - 1
	for turn := uint64(0); atomic.LoadUint64(&t.serving) != ticket; turn++ {
		t.wait(turn)
	}
	x = minstd(x, o.inside)
	atomic.StoreUint64(&t.serving, ticket+1)
	return x, true
}

// --- The record of one worker --------------------------------------------------------------------------

// A histogram of durations, with the buckets of HdrHistogram at three digits; minimum, maximum and sum are exact.
type histogram struct {
	_                [128]byte
	counts           []uint64
	n, min, max, sum uint64
	_                [128]byte
}

func newHistogram(size int) *histogram {
	h := &histogram{counts: make([]uint64, size), min: unknown}
	touch(h.counts)
	return h
}

// touch writes what was just allocated, so that no page of it is missing in the loop.
func touch(words []uint64) {
	for i := range words {
		words[i] = 0
	}
}

func (h *histogram) record(ns uint64) {
	k := bits.Len64(ns) - 11
	if k < 0 {
		k = 0
	}
	i := k<<10 + int(ns>>uint(k))
	if i >= len(h.counts) {
		i = len(h.counts) - 1
	}
	h.counts[i]++
	h.n++
	h.sum += ns
	if ns < h.min {
		h.min = ns
	}
	if ns > h.max {
		h.max = ns
	}
}

// A schedule is what `go` asks for, beside the start.
type schedule struct {
	ramp, window, windows, tail uint64
	spans                       uint64
	timed, merged               bool
}

// A board holds the readings of all threads of a cell that keeps none for a worker: whoever crosses a
// boundary first reads them all.
type board struct {
	threads []thread
	claimed []uint32
	rows    []uint64 // by boundary, thread: CPU time, run delay
}

func newBoard(threads []thread, boundaries int) *board {
	b := &board{threads, make([]uint32, boundaries), make([]uint64, 2*boundaries*len(threads))}
	touch(b.rows)
	return b
}

func (b *board) cross(k int, p *probe) {
	if len(b.threads) == 0 || !atomic.CompareAndSwapUint32(&b.claimed[k], 0, 1) {
		return
	}
	row := b.rows[2*k*len(b.threads):]
	for j, t := range b.threads {
		// The clock first: it brings the kernel's account of a running thread up to date.
		row[2*j], row[2*j+1] = p.clock(threadClock(t.tid)), p.delay(t.fd)
	}
}

// A mark is one crossing: its stamp, what was done by then, and the figures of the thread.
type mark struct {
	stamp, ops, check                  uint64
	cpuNS, delayNS, vcsw, ivcsw, where uint64
}

// A take is one worker's record of one release.
type take struct {
	lane    *lane
	plan    schedule
	begin   uint64 // of window 0
	ramps   int
	edges   []uint64
	marks   []mark
	at      int // boundaries crossed
	hists   []*histogram
	hist    *histogram // the one of the interval that the worker is in
	aside   *histogram // of ramp and tail: forgotten
	ends    []uint64
	filled  int
	started uint64
	board   *board
}

func (s schedule) ramps() uint64 {
	if ramps := s.ramp / s.window; ramps > 1 {
		return ramps
	}
	return 1
}

// boundaries counts the entry, the ends of all intervals of the ramp, of the windows, and of the tail.
func (s schedule) boundaries() int { return int(s.ramps()+s.windows) + 2 }

func newTake(l *lane, plan schedule, start uint64, b *board) *take {
	t := &take{lane: l, plan: plan, begin: start + plan.ramp, ramps: int(plan.ramps()), board: b}
	for i := 1 - t.ramps; i <= int(plan.windows); i++ {
		t.edges = append(t.edges, t.begin+uint64(i)*plan.window)
	}
	t.edges = append(t.edges, t.edges[len(t.edges)-1]+plan.tail)
	t.marks = make([]mark, plan.boundaries())
	for k := range t.marks {
		t.marks[k] = mark{}
	}
	t.ends = make([]uint64, plan.spans)
	touch(t.ends)
	if plan.timed {
		t.aside = newHistogram(1 << 11)
		for i := uint64(0); i < plan.windows && !(plan.merged && i > 0); i++ {
			t.hists = append(t.hists, newHistogram(buckets+1<<11))
		}
	}
	return t
}

// run works from the start to the end of the tail.
func (t *take) run(started uint64) {
	t.started = started
	if size := t.lane.op.begin(t.plan.timed); t.plan.timed {
		t.time()
	} else {
		t.count(size)
	}
}

// count is the loop of the throughput pass: a reading of the clock a run.
func (t *take) count(size uint64) {
	op, spanFrom := t.lane.op, t.spanFrom()
	var ops, check uint64
	edge, stamp := t.enter()
	for {
		result, more := op.run(ops)
		if !more {
			t.leave(stamp, ops, check)
			return
		}
		stamp = now()
		ops += size
		check += result
		if stamp >= spanFrom {
			spanFrom = t.span(stamp)
		}
		if stamp >= edge {
			if edge = t.cross(stamp, ops, check); edge == 0 {
				return
			}
		}
	}
}

// time is the loop of the latency pass: every operation between two readings of the clock, recorded.
func (t *take) time() {
	op, spanFrom := t.lane.op, t.spanFrom()
	var ops, check uint64
	edge, stamp := t.enter()
	hist := t.hist
	for {
		began := now()
		result, more := op.run(ops)
		if !more {
			t.leave(stamp, ops, check)
			return
		}
		stamp = now()
		ops++
		check += result
		hist.record(stamp - began)
		if stamp >= spanFrom {
			spanFrom = t.span(stamp)
		}
		if stamp >= edge {
			if edge = t.cross(stamp, ops, check); edge == 0 {
				return
			}
			hist = t.hist
		}
	}
}

func (t *take) spanFrom() uint64 {
	if t.filled == len(t.ends) {
		return unknown
	}
	return t.begin
}

func (t *take) span(stamp uint64) uint64 {
	t.ends[t.filled] = stamp - t.begin
	t.filled++
	return t.spanFrom()
}

func (t *take) enter() (edge, entered uint64) {
	t.board.cross(0, &t.lane.probe)
	t.marks[0] = t.lane.reading()
	t.hist = t.histOf(0)
	t.marks[0].stamp = now()
	return t.edges[0], t.marks[0].stamp
}

// cross is called by the first operation that ends at or after an edge; the next edge, or 0 to stop.
func (t *take) cross(stamp, ops, check uint64) uint64 {
	here := t.lane.reading()
	here.stamp, here.ops, here.check = stamp, ops, check
	for t.at < len(t.edges) && stamp >= t.edges[t.at] {
		t.at++
		t.marks[t.at] = here
		t.board.cross(t.at, &t.lane.probe)
	}
	if t.at < len(t.edges) {
		t.hist = t.histOf(t.at)
		return t.edges[t.at]
	}
	if o, together := t.lane.op.(*serial); together {
		atomic.StoreUint32(&o.team.stop, 1) // all leave behind the next barrier, so this one goes there too
		return unknown
	}
	return 0
}

// leave ends the interval that the worker is in where there is no work left.
func (t *take) leave(stamp, ops, check uint64) {
	if t.at < len(t.edges) {
		t.at++
		t.marks[t.at] = t.lane.reading()
		t.marks[t.at].stamp, t.marks[t.at].ops, t.marks[t.at].check = stamp, ops, check
	}
}

func (t *take) histOf(interval int) *histogram {
	switch window := interval - t.ramps; {
	case window < 0 || window >= int(t.plan.windows) || len(t.hists) == 0:
		return t.aside
	case t.plan.merged:
		return t.hists[0]
	default:
		return t.hists[window]
	}
}

// write adds the lines of `collect`.
func (t *take) write(out io.Writer, key string) {
	key = fmt.Sprintf("%s w=%d", key, t.lane.w)
	for k := 0; k < t.at; k++ {
		a, b := t.marks[k], t.marks[k+1]
		fmt.Fprintf(out, "window %s i=%d ops=%d check=%d first_ns=%d", key, k-t.ramps, b.ops-a.ops, (b.check-a.check)%modulus, a.stamp)
		if k+1 < t.at || t.at == len(t.edges) || k-t.ramps == int(t.plan.windows) {
			fmt.Fprintf(out, " last_ns=%d", b.stamp)
		}
		if k-t.ramps == int(t.plan.windows) {
			io.WriteString(out, " tail=1")
		}
		difference(out, "cpu_ns", a.cpuNS, b.cpuNS)
		difference(out, "delay_ns", a.delayNS, b.delayNS)
		difference(out, "vcsw", a.vcsw, b.vcsw)
		difference(out, "ivcsw", a.ivcsw, b.ivcsw)
		difference(out, "cpu", 0, b.where)
		io.WriteString(out, "\n")
	}
	end := t.marks[t.at]
	fmt.Fprintf(out, "total %s ops=%d check=%d started_ns=%d entered_ns=%d ended_ns=%d\n",
		key, end.ops, end.check%modulus, t.started, t.marks[0].stamp, end.stamp)
	if len(t.ends) > 0 {
		fmt.Fprintf(out, "span %s t=%s\n", key, join(t.ends[:t.filled]))
	}
	for i, h := range t.hists {
		if h.n == 0 {
			continue
		}
		where := key
		if !t.plan.merged {
			where = fmt.Sprintf("%s i=%d", key, i)
		}
		fmt.Fprintf(out, "hist %s name=op unit=ns n=%d min=%d max=%d sum=%d b=", where, h.n, h.min, h.max, h.sum)
		comma := ""
		for bucket, count := range h.counts {
			if count > 0 {
				fmt.Fprintf(out, "%s%d:%d", comma, bucket, count)
				comma = ","
			}
		}
		io.WriteString(out, "\n")
	}
}

// difference writes a figure unless either reading failed.
func difference(out io.Writer, name string, from, to uint64) {
	if from != unknown && to != unknown {
		fmt.Fprintf(out, " %s=%d", name, to-from)
	}
}

// write adds the `carrier` lines.
func (b *board) write(out io.Writer, key string, ramps int) {
	for k := 0; k+1 < len(b.claimed); k++ {
		for j, t := range b.threads {
			at := 2 * (k*len(b.threads) + j)
			then, later := b.rows[at:], b.rows[at+2*len(b.threads):]
			if b.claimed[k+1] == 1 && then[0] != unknown && later[0] != unknown {
				fmt.Fprintf(out, "carrier %s i=%d tid=%d", key, k-ramps, t.tid)
				difference(out, "cpu_ns", then[0], later[0])
				difference(out, "delay_ns", then[1], later[1])
				io.WriteString(out, "\n")
			}
		}
	}
}

func join(values []uint64) string {
	var text strings.Builder
	for i, value := range values {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(strconv.FormatUint(value, 10))
	}
	return text.String()
}

// --- N workers at once ---------------------------------------------------------------------------------

// A lane is one worker: a goroutine that waits at its gate for jobs.
type lane struct {
	_      [128]byte
	w      int
	op     operation
	pinned bool
	thread thread // its own, where it is pinned
	probe  probe
	takes  map[int]*take // by slot
	gate   chan func(*lane)
	failed error
	_      [128]byte
}

// reading returns the figures of the worker's thread. One that may change its thread between two crossings only
// has the CPU it is on.
func (l *lane) reading() mark {
	m := mark{cpuNS: unknown, delayNS: unknown, vcsw: unknown, ivcsw: unknown, where: l.probe.cpu()}
	if l.pinned {
		m.cpuNS, m.delayNS = l.probe.clock(3), l.probe.delay(l.thread.fd) // CLOCK_THREAD_CPUTIME_ID
		m.vcsw, m.ivcsw = l.probe.switches()
	}
	return m
}

// warm runs both loops for a moment, crossings and lines included; the cost of an operation in each, ns.
func (l *lane) warm() (cost [2]float64) {
	for pass := range cost {
		plan := schedule{ramp: warmNS, window: warmNS, windows: 1, timed: pass == 1}
		begin := now()
		t := newTake(l, plan, begin, &board{})
		t.run(begin)
		end := t.marks[t.at]
		cost[pass] = float64(end.stamp-t.marks[0].stamp) / float64(end.ops)
		t.write(io.Discard, "id=0")
		if _, ok := l.op.(*pipe); ok && end.check != pipeSum(end.ops) {
			panic(failure{"checksum", fmt.Sprintf("the peer of worker %d does not answer 7 b + 3", l.w)})
		}
	}
	return cost
}

func pipeSum(ops uint64) (sum uint64) {
	for i := uint64(0); i < ops; i++ {
		sum += (7*(i%251) + 3) % 256
	}
	return sum
}

func (l *lane) close() {
	if l.thread.fd > 0 {
		syscall.Close(l.thread.fd)
	}
	if o, ok := l.op.(*pipe); ok {
		o.request.Close()
		o.response.Close()
	}
}

// attempt makes a panic of a job the error of its worker.
func (l *lane) attempt(job func(*lane)) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = r
		default:
			err = fmt.Errorf("%v", r)
		}
	}()
	job(l)
	return nil
}

// A cell is N workers prepared for one workload.
type cell struct {
	lanes   []*lane
	busy    int32
	parked  chan bool
	pinned  bool
	turns   bool // more workers than the scheduler has processors
	threads []thread
	boards  map[int]*board // by slot
	slots   int            // of the last release, the other cells' counted too; 0: none yet
	plan    schedule
}

func newCell(n int, pinned bool) *cell {
	c := &cell{parked: make(chan bool, 1), pinned: pinned, turns: n > runtime.GOMAXPROCS(0)}
	for w := 0; w < n; w++ {
		l := &lane{w: w, pinned: pinned, gate: make(chan func(*lane), 1)}
		c.lanes = append(c.lanes, l)
		go c.live(l)
	}
	return c
}

func (c *cell) live(l *lane) {
	if c.pinned {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
	}
	for job := range l.gate {
		l.failed = l.attempt(job)
		if atomic.AddInt32(&c.busy, -1) == 0 { // the opener wakes once, when all are done
			c.parked <- true
		}
	}
	l.close()
}

// tell gives some workers a job and waits, without a timer, until all have done it.
func (c *cell) tell(lanes []*lane, job func(*lane)) error {
	if len(lanes) == 0 {
		return nil
	}
	atomic.StoreInt32(&c.busy, int32(len(lanes)))
	for _, l := range lanes {
		l.gate <- job
	}
	<-c.parked
	for _, l := range lanes {
		if l.failed != nil {
			return l.failed
		}
	}
	return nil
}

// prepare makes and warms the operations in the workers that will use them; the cost of one alone, ns.
func (c *cell) prepare(build func(w int) (operation, error)) (opNS float64, err error) {
	err = c.tell(c.lanes, func(l *lane) {
		var err error
		if l.pinned {
			l.thread, err = openThread(syscall.Gettid())
		}
		if err == nil {
			l.op, err = build(l.w)
		}
		if err != nil {
			panic(err)
		}
	})
	for i := 0; i < 2 && err == nil; i++ {
		c.join(c.lanes[:1])
		err = c.tell(c.lanes[:1], func(l *lane) {
			if cost := l.warm()[0]; opNS == 0 || cost < opNS {
				opNS = cost
			}
		})
	}
	c.join(c.lanes)
	if err == nil { // all at once, so that the runtime has the threads it wants for that
		err = c.tell(c.lanes, func(l *lane) { l.warm() })
	}
	if err == nil && !c.pinned {
		growThreads(runtime.GOMAXPROCS(0) + spares)
	}
	runtime.GC()
	if err == nil && !c.pinned {
		var tids []int
		tids, err = threadIDs()
		for i := 0; i < len(tids) && err == nil; i++ {
			var t thread
			t, err = openThread(tids[i])
			c.threads = append(c.threads, t)
		}
	}
	return opNS, err
}

// join makes the workers that will run together a team, where the work is done in rounds.
func (c *cell) join(lanes []*lane) {
	team := newTeam(len(lanes), c.turns)
	for _, l := range lanes {
		if o, ok := l.op.(*serial); ok {
			o.join(team)
		}
	}
}

// arm allocates the record of every slot of a `go`, in the workers that will write it.
func (c *cell) arm(plan schedule, starts map[int]uint64) error {
	c.plan, c.boards = plan, map[int]*board{}
	for slot := range starts {
		c.boards[slot] = newBoard(c.threads, plan.boundaries())
	}
	return c.tell(c.lanes, func(l *lane) {
		l.takes = map[int]*take{}
		for slot, start := range starts {
			l.takes[slot] = newTake(l, plan, start, c.boards[slot])
		}
	})
}

// release runs one slot. Where workers take turns, a spinning one would keep another from starting: then the
// opener waits for all.
func (c *cell) release(slot int, start, spin uint64) error {
	if c.turns {
		started := await(start, spin)
		return c.tell(c.lanes, func(l *lane) { l.takes[slot].run(started) })
	}
	return c.tell(c.lanes, func(l *lane) { l.takes[slot].run(await(start, spin)) })
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

// write adds all lines of `collect`; key and slot as they are echoed.
func (c *cell) write(out io.Writer, id string, withSlot bool) {
	whole := c.boardsAreWhole()
	for slot := 0; slot < c.slots; slot++ {
		if c.boards[slot] == nil {
			continue // the other cell's
		}
		key := "id=" + id
		if withSlot {
			key = fmt.Sprintf("%s slot=%d", key, slot)
		}
		for _, l := range c.lanes {
			l.takes[slot].write(out, key)
		}
		if whole {
			c.boards[slot].write(out, key, int(c.plan.ramps()))
		}
	}
}

// boardsAreWhole tells whether the process has no thread but those that `ready` named: the work of one more would
// be missing from the figures, so that they are left out.
func (c *cell) boardsAreWhole() bool {
	tids, err := threadIDs()
	if !c.pinned && (err != nil || len(tids) > len(c.threads)) {
		fmt.Fprintf(os.Stderr, "%d threads, %d when the cell was ready: no figures by carrier\n", len(tids), len(c.threads))
		return false
	}
	return !c.pinned
}

func (c *cell) close() {
	for _, l := range c.lanes {
		close(l.gate)
	}
	for _, t := range c.threads {
		syscall.Close(t.fd)
	}
}

// --- The session ---------------------------------------------------------------------------------------

// keys are the values of a line; the first that is not as it must be becomes err.
type keys struct {
	values map[string]string
	err    error
}

func parse(text string) (verb string, k *keys) {
	k = &keys{values: map[string]string{}}
	fields := strings.Fields(text)
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		plain, err := url.PathUnescape(value)
		if err != nil {
			k.err = refuse("%s: a %% is not followed by two hex digits", name)
		}
		k.values[name] = plain
	}
	return fields[0], k
}

// number is the value of a key; required if there is no default.
func (k *keys) number(name string, least uint64, otherwise ...uint64) uint64 {
	text, given := k.values[name]
	if !given && len(otherwise) > 0 {
		return otherwise[0]
	}
	value, err := strconv.ParseUint(text, 10, 62)
	if k.err == nil && (err != nil || value < least) {
		k.err = refuse("%s=%s is not a whole number of at least %d", name, text, least)
	}
	return value
}

func (k *keys) oneOf(name, known string) string {
	value := k.values[name]
	if k.err == nil && !contains(known, value) {
		k.err = refuse("%s=%s is not one of %s", name, value, known)
	}
	return value
}

func contains(list, item string) bool {
	return item != "" && strings.Contains(","+list+",", ","+item+",")
}

func escape(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		if c <= ' ' || c == '%' || c == 0x7f {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

type session struct{ cells map[string]*cell }

// answer writes the answer to a line, which is an `error` line if anything fails.
func (s *session) answer(text string, out *bufio.Writer) {
	verb, k := parse(text)
	for _, feature := range strings.Split(k.values["require"], ",") {
		if feature != "" && !contains(features, feature) && k.err == nil {
			k.err = refuse("require=%s is not known here", feature)
		}
	}
	handlers := map[string]func(*keys, io.Writer) error{
		"hello": s.hello, "ping": s.ping, "prepare": s.prepare, "go": s.release, "collect": s.collect,
	}
	err := k.err
	if handler := handlers[verb]; err == nil && handler != nil {
		err = handler(k, out)
	} else if err == nil {
		err = refuse("verb %s is not known here", verb)
	}
	if err == nil {
		return
	}
	var f failure
	if !errors.As(err, &f) {
		f = failure{"internal", err.Error()}
		if errors.Is(err, syscall.EMFILE) {
			f.message += "; raise `ulimit -n`"
		}
	}
	io.WriteString(out, "error")
	for _, name := range []string{"id", "ids"} {
		if value, given := k.values[name]; given {
			fmt.Fprintf(out, " %s=%s", name, escape(value))
		}
	}
	if contains("prepare,go,collect", verb) {
		fmt.Fprintf(out, " phase=%s", verb)
	}
	fmt.Fprintf(out, " kind=%s msg=%s\n", f.kind, escape(f.message))
}

func (s *session) hello(k *keys, out io.Writer) error {
	if k.values["v"] != version {
		return refuse("this worker speaks version %s", version)
	}
	fmt.Fprintf(out, "hello v=%s lang=go runtime=%s pid=%d", version, escape(strings.TrimPrefix(runtime.Version(), "go")), os.Getpid())
	fmt.Fprintf(out, " clock=CLOCK_MONOTONIC res_ns=1 timer=time.Since timer_cost_ps=%d lead_ns=%d", timerCostPS(), leadNS)
	fmt.Fprintf(out, " workloads=%s mechanisms=%s features=%s", workloads, mechanisms, features)
	fmt.Fprintf(out, " compiler=%s arch=%s gomaxprocs=%d cpus=%d epoch_within_ns=%d",
		runtime.Compiler, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.NumCPU(), epochWithin)
	gogc := debug.SetGCPercent(-1)
	debug.SetGCPercent(gogc)
	fmt.Fprintf(out, " gogc=%d", gogc)
	for _, name := range []string{"GOMEMLIMIT", "GODEBUG"} {
		if value := os.Getenv(name); value != "" {
			fmt.Fprintf(out, " %s=%s", strings.ToLower(name), escape(value))
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if contains("GOAMD64,GOARM64,GORISCV64,GOPPC64,-gcflags,-pgo,-race,DefaultGODEBUG", setting.Key) {
				name := strings.ToLower(strings.TrimLeft(setting.Key, "-"))
				fmt.Fprintf(out, " %s=%s", name, escape(setting.Value))
			}
		}
	}
	io.WriteString(out, "\n")
	return nil
}

// timerCostPS is what timing one operation adds: the latency loop around nothing less the bare loop, least of three.
func timerCostPS() uint64 {
	bare, timed := 1e9, 1e9
	for i := 0; i < 3; i++ {
		cost := (&lane{op: &noop{batch: 1}}).warm()
		if cost[0] < bare {
			bare = cost[0]
		}
		if cost[1] < timed {
			timed = cost[1]
		}
	}
	if timed < bare {
		return 0
	}
	return uint64(1000*(timed-bare) + 0.5)
}

func (s *session) ping(k *keys, out io.Writer) error {
	_, err := fmt.Fprintf(out, "pong n=%s now_ns=%d\n", escape(k.values["n"]), now())
	return err
}

// A param is a parameter of a workload as it was given or chosen.
type param struct {
	name  string
	value uint64
}

// operations reads the parameters of a workload; returns them, and what makes a worker's operation.
func operations(k *keys, workload string) (params []param, build func(w int) (operation, error)) {
	given := func(name string, least, otherwise uint64) uint64 {
		params = append(params, param{name, k.number(name, least, otherwise)})
		return params[len(params)-1].value
	}
	switch workload {
	case "noop":
		batch := given("batch", 1, 1000)
		build = func(int) (operation, error) { return &noop{batch: batch}, nil }
	case "cpu":
		steps := given("steps", 1, cpuSteps)
		build = func(int) (operation, error) { return &cpu{steps: steps}, nil }
	case "sleep":
		duration := time.Duration(given("sleep_ns", 0, 1000000))
		build = func(int) (operation, error) { return &sleep{duration: duration}, nil }
	case "pipe":
		dir, first := k.values["dir"], k.number("first", 0, 0)
		if dir == "" && k.err == nil {
			k.err = refuse("dir= is missing")
		}
		build = func(w int) (operation, error) { return openPipe(dir, first+uint64(w)) }
	case "mem":
		bytes := given("bytes", 64, 128<<20)
		if _, said := k.values["kind"]; !said {
			k.values["kind"] = "chase"
		}
		if k.oneOf("kind", "chase,stream") == "chase" {
			steps := given("steps", 1, 1024)
			build = func(int) (operation, error) { return newChase(bytes, steps) }
			break
		}
		chunk := given("chunk", 8, 1<<20)
		if k.err == nil && (chunk%8 != 0 || bytes%chunk != 0) {
			k.err = refuse("bytes=%d is not a multiple of chunk=%d, or that not of 8", bytes, chunk)
		}
		build = func(int) (operation, error) { return newStream(bytes, chunk) }
	case "serial":
		steps, permille := given("steps", 1, serialSteps), given("permille", 0, 0)
		if k.err == nil && permille > 1000 {
			k.err = refuse("permille=%d is over 1000", permille)
		}
		inside := steps * permille / 1000
		build = func(int) (operation, error) { return &serial{outside: steps - inside, inside: inside}, nil }
	}
	return params, build
}

func (s *session) prepare(k *keys, out io.Writer) error {
	begin := now()
	id, n := k.values["id"], k.number("workers", 1)
	if k.err == nil && (id == "" || s.cells[id] != nil) {
		return refuse("id= is missing or already prepared")
	}
	pinned := k.oneOf("mechanism", mechanisms) == "goroutines-pinned"
	if k.err == nil && pinned && n > pinnedMax {
		return refuse("workers=%d: at most %d threads of one process", n, pinnedMax)
	}
	params, build := operations(k, k.oneOf("workload", workloads))
	if k.err != nil {
		return k.err
	}
	c := newCell(int(n), pinned)
	opNS, err := c.prepare(build)
	if err != nil {
		c.close()
		return err
	}
	s.cells[id] = c
	fmt.Fprintf(out, "ready id=%s carriers=", escape(id))
	var carriers, pairs []string
	for _, t := range c.threads {
		carriers = append(carriers, strconv.Itoa(t.tid))
	}
	for w, l := range c.lanes {
		if pinned {
			carriers = append(carriers, strconv.Itoa(l.thread.tid))
			pairs = append(pairs, fmt.Sprintf("%d:%d", w, l.thread.tid))
		}
	}
	io.WriteString(out, strings.Join(carriers, ","))
	if pinned {
		fmt.Fprintf(out, " map=%s", strings.Join(pairs, ","))
	}
	if c.turns {
		fmt.Fprintf(out, " turns=1 switch_ns=%d", switchNS)
	}
	for _, p := range params {
		fmt.Fprintf(out, " %s=%d", p.name, p.value)
	}
	_, err = fmt.Fprintf(out, " setup_ns=%d op_ns=%d\n", now()-begin, uint64(opNS+0.5))
	return err
}

// chosen returns the ids of a go or collect, and the key that echoes them.
func (s *session) chosen(k *keys) (ids []string, echo string, err error) {
	name := "id"
	if _, several := k.values["ids"]; several {
		name = "ids"
	}
	ids = strings.Split(k.values[name], ",")
	for i, id := range ids {
		if s.cells[id] == nil {
			return nil, "", refuse("cell %s is not prepared", id)
		}
		for _, other := range ids[:i] {
			if id == other {
				return nil, "", refuse("cell %s twice: prepare two to compare it with itself", id)
			}
		}
	}
	return ids, name + "=" + escape(k.values[name]), nil
}

func (s *session) release(k *keys, out io.Writer) error {
	ids, echo, err := s.chosen(k)
	if err != nil {
		return err
	}
	pass := k.oneOf("pass", "throughput,latency,counters")
	plan := schedule{ramp: k.number("ramp_ns", 0), window: k.number("window_ns", 1), windows: k.number("windows", 0),
		tail: k.number("tail_ns", 0), spans: k.number("spans", 0, 0), timed: pass == "latency"}
	if k.err == nil && (plan.windows > intervalsMax || plan.ramps() > intervalsMax) {
		return refuse("over %d windows, or intervals of the ramp", intervalsMax)
	}
	if plan.spans > spansMax {
		plan.spans = spansMax
	}
	start, spin, gap := k.number("start_ns", 0), k.number("spin_ns", 0, 0), k.number("gap_ns", 0, 0)
	order := k.values["order"]
	if order == "" {
		order = "0"
	}
	slots := make([]map[int]uint64, len(ids)) // of each cell, with their starts
	for i := range slots {
		slots[i] = map[int]uint64{}
	}
	for slot, digit := range []byte(order) {
		if digit < '0' || int(digit-'0') >= len(ids) {
			return refuse("order=%s names a cell that ids= does not", order)
		}
		slots[digit-'0'][slot] = start + uint64(slot)*(plan.ramp+plan.windows*plan.window+plan.tail+gap)
	}
	if k.err != nil {
		return k.err
	}
	for i, id := range ids {
		c := s.cells[id]
		c.slots = len(order)
		plan.merged = uint64(len(c.lanes))*plan.windows*uint64(len(order))*buckets*8 > histsMax
		if err == nil {
			err = c.arm(plan, slots[i])
		}
	}
	runtime.GC() // ends whatever the allocations have begun; none begins before the next
	for slot, digit := range []byte(order) {
		if err == nil {
			err = s.cells[ids[digit-'0']].release(slot, slots[digit-'0'][slot], spin)
		}
	}
	if err != nil {
		for _, id := range ids {
			s.cells[id].close()
			delete(s.cells, id)
		}
		return err
	}
	_, err = fmt.Fprintf(out, "stopped %s\n", echo)
	return err
}

func (s *session) collect(k *keys, out io.Writer) error {
	ids, echo, err := s.chosen(k)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if s.cells[id].slots == 0 {
			return refuse("cell %s has not run: go comes first", id)
		}
	}
	for _, id := range ids {
		_, several := k.values["ids"]
		s.cells[id].write(out, escape(id), several)
	}
	_, err = fmt.Fprintf(out, "done %s\n", echo)
	return err
}

// readLine returns the next line; a verb that nobody knows for one too long; nothing at the end or for a torn one.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	text := string(line)
	for err == bufio.ErrBufferFull {
		text = "line-over-1-MiB"
		_, err = in.ReadSlice('\n')
	}
	return strings.TrimSpace(text), err
}

func main() {
	// Said explicitly, it stays: since Go 1.25 the runtime follows the affinity mask of one of its threads, which
	// the harness changes, and would stop the world to change the number of processors in the middle of a cell.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var limit syscall.Rlimit // N workers with FIFOs need 3 N files
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	s := session{cells: map[string]*cell{}}
	in, out := bufio.NewReaderSize(os.Stdin, lineMax), bufio.NewWriterSize(os.Stdout, 1<<16)
	for {
		text, err := readLine(in)
		if err != nil || text == "quit" || strings.HasPrefix(text, "quit ") {
			return
		}
		if text != "" {
			s.answer(text, out)
			if out.Flush() != nil {
				return
			}
		}
	}
}
