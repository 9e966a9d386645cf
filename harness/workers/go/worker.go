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
	"math"
	"math/bits"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
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
	workersMax   = 65536
	pinnedMax    = 8192 // threads; the runtime aborts at 10000
	unknown      = ^uint64(0)
)

// A failure is what an `error` line says: its kind and a message that names the next step. It is thrown as a
// panic, which attempt turns into the error of a worker or of a command.
type failure struct{ kind, message string }

func (f failure) Error() string { return f.message }

func refuse(format string, values ...any) {
	panic(failure{"unsupported", fmt.Sprintf(format, values...)})
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func attempt(job func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = r
		default:
			err = fmt.Errorf("%v", r)
		}
	}()
	job()
	return nil
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

// A thread is one that exists, with its schedstat file; fd is -1 where there is none.
type thread struct{ tid, fd int }

func openThread(tid int) thread {
	fd, err := syscall.Open(fmt.Sprintf("/proc/self/task/%d/schedstat", tid), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err == syscall.EMFILE || err == syscall.ENFILE {
		panic(err)
	}
	return thread{tid, fd}
}

func threadIDs() (tids []int) {
	entries, err := os.ReadDir("/proc/self/task")
	must(err)
	for _, entry := range entries {
		tid, err := strconv.Atoi(entry.Name())
		must(err)
		tids = append(tids, tid)
	}
	return tids
}

// growThreads makes the runtime create n threads, which it keeps: n goroutines that hold one each at the same time.
func growThreads(n int) {
	var holding, done sync.WaitGroup
	holding.Add(n)
	done.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			runtime.LockOSThread()
			holding.Done()
			holding.Wait()
			runtime.UnlockOSThread()
			done.Done()
		}()
	}
	done.Wait()
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

func openPipe(dir string, number int) *pipe {
	open := func(end string) *os.File {
		file, err := os.OpenFile(fmt.Sprintf("%s/w%d.%s", dir, number, end), os.O_RDWR, 0)
		must(err)
		return file
	}
	return &pipe{request: open("req"), response: open("rsp")}
}

func (o *pipe) run(i uint64) (uint64, bool) {
	o.question[0] = byte(i % 251)
	_, err := o.request.Write(o.question[:])
	if err == nil {
		_, err = o.response.Read(o.answer[:])
	}
	must(err)
	return uint64(o.answer[0]), true
}

// table maps memory that the collector neither scans nor counts; a refusal is an error line, not the end.
func table(bytes uint64) unsafe.Pointer {
	memory, err := syscall.Mmap(-1, 0, int(bytes), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(failure{"oom", fmt.Sprintf("no memory for a table of %d bytes; smaller `bytes` or fewer workers", bytes)})
	}
	return unsafe.Pointer(&memory[0])
}

// chase follows a cycle through all lines: each load waits for the one before.
type chase struct {
	plain
	next     []uint32 // one in 16 is used: a line is 64 bytes
	k, steps uint64
}

func newChase(bytes, steps uint64) *chase {
	lines := uint64(1) << (bits.Len64(bytes/64) - 1)
	o := &chase{next: unsafe.Slice((*uint32)(table(lines*64)), lines*16), steps: steps}
	for k := uint64(0); k < lines; k++ {
		o.next[k*16] = uint32((1103515245*k + 12345) % lines)
	}
	return o
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

func newStream(bytes, chunk uint64) *stream {
	o := &stream{elements: unsafe.Slice((*uint64)(table(bytes)), bytes/8), chunk: chunk / 8, chunks: bytes / chunk}
	for j := range o.elements {
		o.elements[j] = uint64(j)
	}
	return o
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

// wait gives the processor to other goroutines after some turns. Threads are left to the kernel: each worker that
// does not take turns has one, and loops of sched_yield have made some kernels postpone their caller.
func (t *team) wait(turn uint64) {
	if turn >= t.patience {
		runtime.Gosched()
	}
}

type serial struct {
	plain
	team                   *team
	round, outside, inside uint64
}

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
	stamp, ops, check uint64
	figures           [5]uint64
}

var figures = [5]string{"cpu_ns", "delay_ns", "vcsw", "ivcsw", "cpu"}

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
	t.hist = t.histOf(0)
	figures := t.lane.figures()
	t.marks[0] = mark{now(), 0, 0, figures}
	return t.edges[0], t.marks[0].stamp
}

// cross is called by the first operation that ends at or after an edge; the next edge, or 0 to stop.
func (t *take) cross(stamp, ops, check uint64) uint64 {
	here := mark{stamp, ops, check, t.lane.figures()}
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
		t.marks[t.at] = mark{stamp, ops, check, t.lane.figures()}
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
		for j, name := range figures[:4] {
			difference(out, name, a.figures[j], b.figures[j])
		}
		difference(out, figures[4], 0, b.figures[4])
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
		var pairs []string
		for bucket, count := range h.counts {
			if count > 0 {
				pairs = append(pairs, fmt.Sprintf("%d:%d", bucket, count))
			}
		}
		io.WriteString(out, strings.Join(pairs, ","))
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

// join lists values with commas between.
func join(values any) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(values), "[]"), " ", ",")
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

// figures are those of the worker's thread. One that may change its thread between two crossings only has the CPU
// it is on.
func (l *lane) figures() [5]uint64 {
	f := [5]uint64{unknown, unknown, unknown, unknown, l.probe.cpu()}
	if l.pinned {
		f[0], f[1] = l.probe.clock(3), l.probe.delay(l.thread.fd) // CLOCK_THREAD_CPUTIME_ID
		f[2], f[3] = l.probe.switches()
	}
	return f
}

// warm runs both loops for a moment, crossings and lines included; the cost of an operation in each, ns.
func (l *lane) warm() (cost [2]float64) {
	for pass := range cost {
		begin := now()
		t := newTake(l, schedule{ramp: warmNS, window: warmNS, windows: 1, timed: pass == 1}, begin, &board{})
		t.run(begin)
		end := t.marks[t.at]
		cost[pass] = float64(end.stamp-t.marks[0].stamp) / float64(end.ops)
		t.write(io.Discard, "id=0")
		sum := uint64(0)
		for i := uint64(0); i < end.ops; i++ {
			sum += (7*(i%251) + 3) % 256
		}
		if _, ok := l.op.(*pipe); ok && end.check != sum {
			panic(failure{"checksum", fmt.Sprintf("the peer of worker %d does not answer 7 b + 3", l.w)})
		}
	}
	return cost
}

// A cell is N workers prepared for one workload.
type cell struct {
	lanes   []*lane
	busy    int32
	parked  chan bool
	pinned  bool
	turns   bool           // more workers than the scheduler has processors
	threads []thread       // all of the process, where none belongs to a worker
	boards  map[int]*board // by slot
	slots   int            // of the last release, the other cells' counted too; 0: none yet
	plan    schedule
}

func newCell(n int, pinned bool) *cell {
	c := &cell{parked: make(chan bool, 1), pinned: pinned, turns: n > runtime.GOMAXPROCS(0)}
	for w := 0; w < n; w++ {
		c.lanes = append(c.lanes, &lane{w: w, pinned: pinned, gate: make(chan func(*lane), 1)})
		go c.live(c.lanes[w])
	}
	return c
}

func (c *cell) live(l *lane) {
	if c.pinned {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
	}
	for job := range l.gate {
		l.failed = attempt(func() { job(l) })
		if atomic.AddInt32(&c.busy, -1) == 0 { // the opener wakes once, when all are done
			c.parked <- true
		}
	}
	if l.thread.fd > 0 {
		syscall.Close(l.thread.fd)
	}
	if o, ok := l.op.(*pipe); ok {
		o.request.Close()
		o.response.Close()
	}
}

// tell gives some workers a job and waits, without a timer, until all have done it.
func (c *cell) tell(lanes []*lane, job func(*lane)) {
	atomic.StoreInt32(&c.busy, int32(len(lanes)))
	for _, l := range lanes {
		l.gate <- job
	}
	<-c.parked
	for _, l := range lanes {
		must(l.failed)
	}
}

// prepare makes and warms the operations in the workers that will use them; the cost of one alone, ns.
func (c *cell) prepare(build func(w int) operation) uint64 {
	c.tell(c.lanes, func(l *lane) {
		if l.pinned {
			l.thread = openThread(syscall.Gettid())
		}
		l.op = build(l.w)
	})
	opNS := 1e18
	for i := 0; i < 2; i++ {
		c.join(c.lanes[:1])
		c.tell(c.lanes[:1], func(l *lane) { opNS = math.Min(opNS, l.warm()[0]) })
	}
	c.join(c.lanes)
	c.tell(c.lanes, func(l *lane) { l.warm() }) // at once, so that the runtime has the threads it wants for that
	growThreads(runtime.GOMAXPROCS(0) + spares)
	runtime.GC()
	if !c.pinned {
		for _, tid := range threadIDs() {
			c.threads = append(c.threads, openThread(tid))
		}
	}
	return uint64(math.Ceil(opNS))
}

// join makes the workers that will run together a team, where the work is done in rounds.
func (c *cell) join(lanes []*lane) {
	t := &team{size: uint64(len(lanes)), patience: patience}
	if c.turns {
		t.patience = 0
	}
	for _, l := range lanes {
		if o, ok := l.op.(*serial); ok {
			o.team, o.round = t, 0
		}
	}
}

// arm allocates the record of every slot of a `go`, in the workers that will write it.
func (c *cell) arm(plan schedule, starts map[int]uint64) {
	c.plan, c.boards = plan, map[int]*board{}
	for slot := range starts {
		c.boards[slot] = newBoard(c.threads, plan.boundaries())
	}
	c.tell(c.lanes, func(l *lane) {
		l.takes = map[int]*take{}
		for slot, start := range starts {
			l.takes[slot] = newTake(l, plan, start, c.boards[slot])
		}
	})
}

// release runs one slot. Where workers take turns, a spinning one would keep another from starting: then the
// opener waits for all.
func (c *cell) release(slot int, start, spin uint64) {
	if c.turns {
		started := await(start, spin)
		c.tell(c.lanes, func(l *lane) { l.takes[slot].run(started) })
	} else {
		c.tell(c.lanes, func(l *lane) { l.takes[slot].run(await(start, spin)) })
	}
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

// write adds all lines of `collect`. Those of the threads only if the process has none but the ones that `ready`
// named: the work of one more would be missing.
func (c *cell) write(out io.Writer, id string, withSlot bool) {
	more := len(threadIDs()) - len(c.threads)
	if !c.pinned && more > 0 {
		fmt.Fprintf(os.Stderr, "%d threads more than when cell %s was ready: no figures by carrier\n", more, id)
	}
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
		if more <= 0 {
			c.boards[slot].write(out, key, int(c.plan.ramps()))
		}
	}
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

// keys are the values of a line.
type keys map[string]string

func parse(text string) (verb string, k keys, err error) {
	k = keys{}
	fields := strings.Fields(text)
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		plain, bad := url.PathUnescape(value)
		if bad != nil {
			err = failure{"unsupported", name + ": a % is not followed by two hex digits"}
		}
		k[name] = plain
	}
	return fields[0], k, err
}

// number is the value of a key; required if there is no default.
func (k keys) number(name string, least uint64, otherwise ...uint64) uint64 {
	text, given := k[name]
	if !given && len(otherwise) > 0 {
		return otherwise[0]
	}
	value, err := strconv.ParseUint(text, 10, 62)
	if err != nil || value < least {
		refuse("%s=%s is not a whole number of at least %d", name, text, least)
	}
	return value
}

func (k keys) oneOf(name, known string) string {
	if !contains(known, k[name]) {
		refuse("%s=%s is not one of %s", name, k[name], known)
	}
	return k[name]
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

// A session answers the harness, line by line; the prepared cells by id.
type session struct{ cells map[string]*cell }

// answer writes the answer to a line, which is an `error` line if anything fails.
func (s *session) answer(text string, out *bufio.Writer) {
	verb, k, err := parse(text)
	handler := map[string]func(keys, io.Writer){
		"hello": s.hello, "ping": s.ping, "prepare": s.prepare, "go": s.release, "collect": s.collect,
	}[verb]
	if err == nil {
		err = attempt(func() {
			for _, feature := range strings.Split(k["require"], ",") {
				if feature != "" && !contains(features, feature) {
					refuse("require=%s is not known here", feature)
				}
			}
			if handler == nil {
				refuse("verb %s is not known here", verb)
			}
			handler(k, out)
		})
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
		if value, given := k[name]; given {
			fmt.Fprintf(out, " %s=%s", name, escape(value))
		}
	}
	if contains("prepare,go,collect", verb) {
		fmt.Fprintf(out, " phase=%s", verb)
	}
	fmt.Fprintf(out, " kind=%s msg=%s\n", f.kind, escape(f.message))
}

func (s *session) hello(k keys, out io.Writer) {
	if k["v"] != version {
		refuse("this worker speaks version %s", version)
	}
	gogc := debug.SetGCPercent(-1)
	debug.SetGCPercent(gogc)
	fmt.Fprintf(out, "hello v=%s lang=go runtime=%s pid=%d", version, escape(strings.TrimPrefix(runtime.Version(), "go")), os.Getpid())
	fmt.Fprintf(out, " clock=CLOCK_MONOTONIC res_ns=1 timer=time.Since timer_cost_ps=%d lead_ns=%d", timerCostPS(), leadNS)
	fmt.Fprintf(out, " workloads=%s mechanisms=%s features=%s", workloads, mechanisms, features)
	fmt.Fprintf(out, " compiler=%s arch=%s gomaxprocs=%d cpus=%d gogc=%d epoch_within_ns=%d",
		runtime.Compiler, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.NumCPU(), gogc, epochWithin)
	receipt := func(name, value string) {
		if value != "" {
			fmt.Fprintf(out, " %s=%s", strings.ToLower(strings.TrimLeft(name, "-")), escape(value))
		}
	}
	receipt("GOMEMLIMIT", os.Getenv("GOMEMLIMIT"))
	receipt("GODEBUG", os.Getenv("GODEBUG"))
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if contains("GOAMD64,GOARM64,GORISCV64,GOPPC64,-gcflags,-pgo,-race,DefaultGODEBUG", setting.Key) {
				receipt(setting.Key, setting.Value)
			}
		}
	}
	io.WriteString(out, "\n")
}

// timerCostPS is what timing one operation adds: the latency loop around nothing less the bare loop, least of three.
func timerCostPS() uint64 {
	bare, timed := 1e9, 1e9
	for i := 0; i < 3; i++ {
		cost := (&lane{op: &noop{batch: 1}}).warm()
		bare, timed = math.Min(bare, cost[0]), math.Min(timed, cost[1])
	}
	return uint64(1000 * math.Max(0, timed-bare))
}

func (s *session) ping(k keys, out io.Writer) {
	fmt.Fprintf(out, "pong n=%s now_ns=%d\n", escape(k["n"]), now())
}

// operations reads the parameters of a workload; what makes a worker's operation, and the parameters as `ready`
// says them.
func operations(k keys, workload string) (build func(w int) operation, params string) {
	param := func(name string, least, otherwise uint64) uint64 {
		value := k.number(name, least, otherwise)
		params += fmt.Sprintf(" %s=%d", name, value)
		return value
	}
	switch workload {
	case "noop":
		batch := param("batch", 1, 1000)
		build = func(int) operation { return &noop{batch: batch} }
	case "cpu":
		steps := param("steps", 1, cpuSteps)
		build = func(int) operation { return &cpu{steps: steps} }
	case "sleep":
		duration := time.Duration(param("sleep_ns", 0, 1000000))
		build = func(int) operation { return &sleep{duration: duration} }
	case "pipe":
		dir, first := k["dir"], int(k.number("first", 0, 0))
		if dir == "" {
			refuse("dir= is missing")
		}
		build = func(w int) operation { return openPipe(dir, first+w) }
	case "mem":
		bytes := param("bytes", 64, 128<<20)
		if k["kind"] == "" || k.oneOf("kind", "chase,stream") == "chase" {
			steps := param("steps", 1, 1024)
			build = func(int) operation { return newChase(bytes, steps) }
			break
		}
		chunk := param("chunk", 8, 1<<20)
		if chunk%8 != 0 || bytes%chunk != 0 {
			refuse("bytes=%d is not a multiple of chunk=%d, or that not of 8", bytes, chunk)
		}
		build = func(int) operation { return newStream(bytes, chunk) }
	case "serial":
		steps, permille := param("steps", 1, serialSteps), param("permille", 0, 0)
		if permille > 1000 {
			refuse("permille=%d is over 1000", permille)
		}
		inside := steps/1000*permille + steps%1000*permille/1000
		build = func(int) operation { return &serial{outside: steps - inside, inside: inside} }
	}
	return build, params
}

func (s *session) prepare(k keys, out io.Writer) {
	begin := now()
	id, n := k["id"], k.number("workers", 1)
	if id == "" || s.cells[id] != nil {
		refuse("id= is missing or already prepared")
	}
	pinned := k.oneOf("mechanism", mechanisms) == "goroutines-pinned"
	if n > workersMax || pinned && n > pinnedMax {
		refuse("workers=%d: at most %d, and %d with a thread each", n, workersMax, pinnedMax)
	}
	build, params := operations(k, k.oneOf("workload", workloads))
	c := newCell(int(n), pinned)
	var opNS uint64
	if err := attempt(func() { opNS = c.prepare(build) }); err != nil {
		c.close()
		panic(err)
	}
	s.cells[id] = c
	var carriers, pairs []string
	for _, t := range c.threads {
		carriers = append(carriers, strconv.Itoa(t.tid))
	}
	for w := 0; pinned && w < len(c.lanes); w++ {
		carriers = append(carriers, strconv.Itoa(c.lanes[w].thread.tid))
		pairs = append(pairs, fmt.Sprintf("%d:%d", w, c.lanes[w].thread.tid))
	}
	fmt.Fprintf(out, "ready id=%s carriers=%s", escape(id), strings.Join(carriers, ","))
	if pinned {
		fmt.Fprintf(out, " map=%s", strings.Join(pairs, ","))
	}
	if c.turns {
		fmt.Fprintf(out, " turns=1 switch_ns=%d", switchNS)
	}
	fmt.Fprintf(out, "%s setup_ns=%d op_ns=%d\n", params, now()-begin, opNS)
}

// chosen returns the ids of a go or collect, and the key that echoes them.
func (s *session) chosen(k keys) (ids []string, echo string) {
	name := "id"
	if _, several := k["ids"]; several {
		name = "ids"
	}
	ids = strings.Split(k[name], ",")
	for i, id := range ids {
		if s.cells[id] == nil {
			refuse("cell %s is not prepared", id)
		}
		if contains(strings.Join(ids[:i], ","), id) {
			refuse("cell %s twice: prepare two to compare it with itself", id)
		}
	}
	return ids, name + "=" + escape(k[name])
}

func (s *session) release(k keys, out io.Writer) {
	ids, echo := s.chosen(k)
	pass := k.oneOf("pass", "throughput,latency,counters")
	plan := schedule{ramp: k.number("ramp_ns", 0), window: k.number("window_ns", 1), windows: k.number("windows", 0),
		tail: k.number("tail_ns", 0), spans: k.number("spans", 0, 0), timed: pass == "latency"}
	if plan.windows > intervalsMax || plan.ramps() > intervalsMax {
		refuse("over %d windows, or intervals of the ramp", intervalsMax)
	}
	if plan.spans > spansMax {
		plan.spans = spansMax
	}
	start, spin, gap := k.number("start_ns", 0), k.number("spin_ns", 0, 0), k.number("gap_ns", 0, 0)
	order, given := k["order"]
	if !given {
		order = "0"
	}
	starts := make([]map[int]uint64, len(ids)) // of each cell, by slot
	for i := range starts {
		starts[i] = map[int]uint64{}
	}
	for slot, digit := range []byte(order) {
		if digit < '0' || int(digit-'0') >= len(ids) {
			refuse("order=%s names a cell that ids= does not", order)
		}
		starts[digit-'0'][slot] = start + uint64(slot)*(plan.ramp+plan.windows*plan.window+plan.tail+gap)
	}
	err := attempt(func() {
		for i, id := range ids {
			c := s.cells[id]
			c.slots = len(order)
			plan.merged = uint64(len(c.lanes)*len(order))*plan.windows*buckets*8 > histsMax
			c.arm(plan, starts[i])
		}
		runtime.GC() // ends whatever the allocations have begun
		for slot, digit := range []byte(order) {
			s.cells[ids[digit-'0']].release(slot, starts[digit-'0'][slot], spin)
		}
	})
	if err != nil {
		for _, id := range ids {
			s.cells[id].close()
			delete(s.cells, id)
		}
		panic(err)
	}
	fmt.Fprintf(out, "stopped %s\n", echo)
}

func (s *session) collect(k keys, out io.Writer) {
	ids, echo := s.chosen(k)
	for _, id := range ids {
		if s.cells[id].slots == 0 {
			refuse("cell %s has not run: go comes first", id)
		}
	}
	for _, id := range ids {
		_, several := k["ids"]
		s.cells[id].write(out, escape(id), several)
	}
	fmt.Fprintf(out, "done %s\n", echo)
}

// readLine returns the next line; a verb that nobody knows for one too long; an error at the end or at a torn one.
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
	// the harness changes, and would change the number of processors in the middle of a cell.
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
