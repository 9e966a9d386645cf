package main

// N workers at once: made, warmed, parked and released together.

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
)

const (
	warmNS = 250000 // one interval of a warm-up run
	spares = 4      // threads beyond GOMAXPROCS: one polls the network, others return from system calls
)

// A lane is one worker: a goroutine that waits at its gate for jobs.
type lane struct {
	_      [128]byte
	w      int
	op     operation
	pinned bool
	thread thread // its own, where it is pinned
	probe  probe
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
		t := newTrack(l, schedule{ramp: warmNS, window: warmNS, windows: 1, timed: pass == 1}, begin, &board{})
		t.run(begin)
		end := t.marks[t.at]
		cost[pass] = float64(end.stamp-t.marks[0].stamp) / float64(end.ops)
		t.write(io.Discard, "id=0")
		if o, ok := l.op.(*pipe); ok {
			o.prove(end.ops, end.check)
		}
	}
	return cost
}

// A cell is N workers prepared for one workload.
type cell struct {
	id      string
	lanes   []*lane
	busy    int32
	parked  chan bool
	pinned  bool
	turns   bool      // more workers than the scheduler has processors
	threads []thread  // all of the process, where none belongs to a worker
	plan    *schedule // of the last release; nil: none yet
	slots   []*slot   // of that release, this cell's
}

// A slot is one turn of one cell in a release.
type slot struct {
	cell   *cell
	number int
	start  uint64
	tracks []*track // by worker
	board  *board
	common string // lines of what the workers recorded together
}

func newCell(id string, n int, pinned bool) *cell {
	c := &cell{id: id, parked: make(chan bool, 1), pinned: pinned, turns: n > runtime.GOMAXPROCS(0)}
	for w := 0; w < n; w++ {
		c.lanes = append(c.lanes, &lane{w: w, pinned: pinned, gate: make(chan func(*lane), 1)})
		go c.live(c.lanes[w])
	}
	return c
}

// live is the life of a worker.
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
		o.close()
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
	t := newTeam(len(lanes), c.turns)
	for _, l := range lanes {
		if o, ok := l.op.(*serial); ok {
			o.team, o.round = t, 0
		}
	}
}

// carriers are the threads that run the workers.
func (c *cell) carriers() []thread {
	if !c.pinned {
		return c.threads
	}
	var own []thread
	for _, l := range c.lanes {
		own = append(own, l.thread)
	}
	return own
}

// arm allocates the record of every slot that is this cell's, in the workers that will write it.
func (c *cell) arm(plan schedule, slots []*slot) {
	plan.merged = uint64(len(c.lanes)*len(slots))*plan.windows*buckets*8 > histsMax
	c.plan, c.slots = &plan, nil
	for _, s := range slots {
		if s.cell == c {
			s.board, s.tracks = newBoard(c.threads, plan.boundaries()), make([]*track, len(c.lanes))
			c.slots = append(c.slots, s)
		}
	}
	c.tell(c.lanes, func(l *lane) {
		for _, s := range c.slots {
			s.tracks[l.w] = newTrack(l, plan, s.start, s.board)
		}
	})
}

// run releases the workers. Where they take turns, a spinning one would keep another from starting: then the
// opener waits for all.
func (s *slot) run(spin uint64, withSlot bool) {
	c := s.cell
	if o, ok := c.lanes[0].op.(*locking); ok {
		o.cell.open(*c.plan, s.start)
		defer func() { s.common = o.cell.close(s.key(withSlot)) }()
	}
	if c.turns {
		started := await(s.start, spin)
		c.tell(c.lanes, func(l *lane) { s.tracks[l.w].run(started) })
	} else {
		c.tell(c.lanes, func(l *lane) { s.tracks[l.w].run(await(s.start, spin)) })
	}
}

// key begins its lines.
func (s *slot) key(withSlot bool) string {
	key := "id=" + escape(s.cell.id)
	if withSlot {
		key = fmt.Sprintf("%s slot=%d", key, s.number)
	}
	return key
}

// write adds all lines of `collect`. Those of the threads only if the process has none but the ones that `ready`
// named: the work of one more would be missing.
func (c *cell) write(out io.Writer, withSlot bool) {
	more := len(threadIDs()) - len(c.threads)
	if !c.pinned && more > 0 {
		fmt.Fprintf(os.Stderr, "%d threads more than when cell %s was ready: no figures by carrier\n", more, c.id)
	}
	for _, s := range c.slots {
		key := s.key(withSlot)
		for _, t := range s.tracks {
			t.write(out, key)
		}
		io.WriteString(out, s.common)
		if more <= 0 {
			s.board.write(out, key, int(c.plan.ramps()))
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
