// Worker of the harness in Go: goroutines that do the same work as every language.
//
// Speaks PROTOCOL.md version 1 on stdin and stdout with nothing but the standard library, on Linux, from
// Go 1.18 on. This file is the session, verb by verb. What a worker does is in workloads, memory, serial and lock, its
// loops and their record in track and histogram, N of them at once in cell, the machine below in carriers and
// kernel. What never will be here: pinning, counters, statistics (all the harness's). README.md says how each
// choice touches fairness.
package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

const (
	version      = "1"
	features     = "alternate,spans"
	mechanisms   = "goroutines,goroutines-pinned"
	leadNS       = 25000000
	switchNS     = 10000000 // runtime.forcePreemptNS: sysmon preempts a goroutine after 10 ms
	spansMax     = 1 << 16  // ends of operations that fit a line
	intervalsMax = 1 << 16
	workersMax   = 65536
	pinnedMax    = 8192 // threads; the runtime aborts at 10000
)

func main() {
	// Said explicitly, it stays: since Go 1.25 the runtime follows the affinity mask of one of its threads, which
	// the harness changes, and would change the number of processors in the middle of a cell.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	raiseFileLimit()
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

// A session answers the harness, line by line; the prepared cells by id.
type session struct{ cells map[string]*cell }

// answer writes the answer to a line, which is an `error` line if anything fails.
func (s *session) answer(text string, out io.Writer) {
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
	if err != nil {
		writeError(out, verb, k, err)
	}
}

func (s *session) hello(k keys, out io.Writer) {
	if k["v"] != version {
		refuse("this worker speaks version %s", version)
	}
	gogc := debug.SetGCPercent(-1)
	debug.SetGCPercent(gogc)
	fmt.Fprintf(out, "hello v=%s lang=go runtime=%s pid=%d", version, escape(strings.TrimPrefix(runtime.Version(), "go")), os.Getpid())
	fmt.Fprintf(out, " clock=CLOCK_MONOTONIC res_ns=1 timer=time.Since timer_cost_ps=%d lead_ns=%d", timerCostPS(), leadNS)
	fmt.Fprintf(out, " workloads=%s mechanisms=%s locks=%s features=%s", workloadNames(), mechanisms, lockNames(), features)
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
	build, params := k.workload()
	c := newCell(id, int(n), pinned)
	var opNS uint64
	if err := attempt(func() { opNS = c.prepare(build) }); err != nil {
		c.close()
		panic(err)
	}
	s.cells[id] = c
	var carriers, pairs []string
	for w, t := range c.carriers() {
		carriers = append(carriers, fmt.Sprint(t.tid))
		pairs = append(pairs, fmt.Sprintf("%d:%d", w, t.tid))
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

// chosen returns the cells of a `go` or `collect`, and the key that repeats their ids.
func (s *session) chosen(k keys) (cells []*cell, echo string) {
	ids, echo := k.ids()
	for i, id := range ids {
		if s.cells[id] == nil {
			refuse("cell %s is not prepared", id)
		}
		if contains(strings.Join(ids[:i], ","), id) {
			refuse("cell %s twice: prepare two to compare it with itself", id)
		}
		cells = append(cells, s.cells[id])
	}
	return cells, echo
}

// release is `go`: one cell, or several that take turns slot by slot.
func (s *session) release(k keys, out io.Writer) {
	cells, echo := s.chosen(k)
	plan := k.schedule()
	spin, slots := k.number("spin_ns", 0, 0), k.slots(cells, plan)
	err := attempt(func() {
		for _, c := range cells {
			c.arm(plan, slots)
		}
		runtime.GC() // ends whatever the allocations have begun
		for _, turn := range slots {
			turn.run(spin, k.several())
		}
	})
	if err != nil {
		for _, c := range cells {
			c.close()
			delete(s.cells, c.id)
		}
		panic(err)
	}
	fmt.Fprintf(out, "stopped %s\n", echo)
}

func (k keys) schedule() schedule {
	pass := k.oneOf("pass", "throughput,latency,counters")
	plan := schedule{ramp: k.number("ramp_ns", 0), window: k.number("window_ns", 1), windows: k.number("windows", 0),
		tail: k.number("tail_ns", 0), spans: k.number("spans", 0, 0), timed: pass == "latency"}
	if plan.windows > intervalsMax || plan.ramps() > intervalsMax {
		refuse("over %d windows, or intervals of the ramp", intervalsMax)
	}
	if plan.spans > spansMax {
		plan.spans = spansMax
	}
	return plan
}

// slots are the turns of a release, in their order.
func (k keys) slots(cells []*cell, plan schedule) (slots []*slot) {
	start, stride := k.number("start_ns", 0), plan.ramp+plan.windows*plan.window+plan.tail+k.number("gap_ns", 0, 0)
	order, given := k["order"]
	if !given {
		order = "0"
	}
	for n, digit := range []byte(order) {
		i := int(digit) - '0'
		if i < 0 || i >= len(cells) {
			refuse("order=%s names a cell that ids= does not", order)
		}
		slots = append(slots, &slot{cell: cells[i], number: n, start: start + uint64(n)*stride})
	}
	return slots
}

func (s *session) collect(k keys, out io.Writer) {
	cells, echo := s.chosen(k)
	for _, c := range cells {
		if c.plan == nil {
			refuse("cell %s has not run: go comes first", c.id)
		}
	}
	for _, c := range cells {
		c.write(out, k.several())
	}
	fmt.Fprintf(out, "done %s\n", echo)
}
