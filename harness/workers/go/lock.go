package main

// The workload `lock`: a closed loop with a share of each operation under a lock, and what the latency pass keeps of
// acquisitions.

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

const (
	lockSteps = 1000
	locksMax  = 1 << 16
	ownersMax = 4096
	fewSteps  = 150 // below them operations share a reading of the clock
	lockBatch = 64
)

// A lock may have a shared mode; what has none is locked by readers as by all.
type lock interface {
	Lock()
	Unlock()
	RLock()
	RUnlock()
}

// A mutex is sync.Mutex, whose readers exclude each other.
type mutex struct{ sync.Mutex }

func (m *mutex) RLock()   { m.Lock() }
func (m *mutex) RUnlock() { m.Unlock() }

// locks are those there are, and whether readers are inside together.
var locks = []struct {
	name   string
	shared bool
	slots  func(n int, packed bool) []*lockSlot
}{
	{"mutex", false, func(n int, packed bool) []*lockSlot {
		return slotsOf(n, packed, func(s *mutexSlot) *lockSlot { s.lock = &s.own; return &s.lockSlot })
	}},
	{"rwmutex", true, func(n int, packed bool) []*lockSlot {
		return slotsOf(n, packed, func(s *rwMutexSlot) *lockSlot { s.lock = &s.own; return &s.lockSlot })
	}},
}

// A lockSlot is what a lock guards: a counter that is loaded and stored, never added to in one step.
type lockSlot struct {
	lock     lock
	count    uint64
	released uint64 // when its last owner began to give it away
}

type mutexSlot struct {
	own mutex
	lockSlot
}

type rwMutexSlot struct {
	own sync.RWMutex
	lockSlot
}

// slotsOf are n of them in a row, or each in cache lines of its own.
func slotsOf[T any](n int, packed bool, slot func(*T) *lockSlot) (all []*lockSlot) {
	if packed {
		row := make([]T, n)
		for k := range row {
			all = append(all, slot(&row[k]))
		}
		return all
	}
	row := make([]struct {
		_     [128]byte
		value T
		_     [128]byte
	}, n)
	for k := range row {
		all = append(all, slot(&row[k].value))
	}
	return all
}

func lockNames() string {
	var names []string
	for _, l := range locks {
		names = append(names, l.name)
	}
	return strings.Join(names, ",")
}

// A lockCell is what the workers of a cell share.
type lockCell struct {
	slots  []*lockSlot
	before uint64
	begin  uint64 // of window 0
	owners []owner
	filled int
}

// An owner is one acquisition.
type owner struct{ w, requested, acquired, released uint64 }

func (c *lockCell) sum() (all uint64) {
	for _, s := range c.slots {
		all += s.count
	}
	return all
}

// open makes ready for a release: all workers are parked.
func (c *lockCell) open(plan schedule, start uint64) {
	c.before, c.begin, c.filled, c.owners = c.sum(), start+plan.ramp, 0, nil
	if plan.timed {
		c.owners = written[owner](ownersMax)
	}
}

// close says what a release left: all are parked again.
func (c *lockCell) close(key string) string {
	lines := fmt.Sprintf("guard %s count=%d\n", key, c.sum()-c.before)
	if c.filled == 0 {
		return lines
	}
	var w, gap, wait, hold []uint64
	last := c.begin
	for _, o := range c.owners[:c.filled] {
		w, gap = append(w, o.w), append(gap, o.acquired-last)
		wait, hold = append(wait, o.acquired-o.requested), append(hold, o.released-o.acquired)
		last = o.acquired
	}
	return lines + fmt.Sprintf("owners %s w=%s gap=%s wait=%s hold=%s\n", key, join(w), join(gap), join(wait), join(hold))
}

// note is called by whoever has the first lock.
func (c *lockCell) note(o owner) {
	if c.filled < len(c.owners) && o.acquired >= c.begin {
		c.owners[c.filled] = o
		c.filled++
	}
}

// parts are what a worker's operations time themselves, summed over the windows.
type parts struct {
	inside                                  bool // the windows
	wait, hold, handoff, readWait, readHold *histogram
}

func newParts() *parts {
	h := func() *histogram { return newHistogram(buckets + 1<<11) }
	return &parts{wait: h(), hold: h(), handoff: h(), readWait: h(), readHold: h()}
}

func (p *parts) write(out io.Writer, key string) {
	p.wait.writeAs(out, key, "wait")
	p.hold.writeAs(out, key, "hold")
	p.handoff.writeAs(out, key, "handoff")
	p.readWait.writeAs(out, key, "read_wait")
	p.readHold.writeAs(out, key, "read_hold")
}

// record keeps an acquisition; free is when the owner before began to give the lock away.
func (p *parts) record(o owner, reads bool, free uint64) {
	if !p.inside {
		return
	}
	if reads {
		p.readWait.record(o.acquired - o.requested)
		p.readHold.record(o.released - o.acquired)
		return
	}
	p.wait.record(o.acquired - o.requested)
	p.hold.record(o.released - o.acquired)
	if free > o.requested && o.acquired >= free {
		p.handoff.record(o.acquired - free)
	}
}

// locking is one worker's operations.
type locking struct {
	plain
	cell                            *lockCell
	w, choice                       uint64
	outside, inside, readers, batch uint64
	size                            uint64
	shared, timed                   bool
	parts                           *parts
	_                               [128]byte
}

func readLock(p *params) func(int) operation {
	name := p.oneOf("lock", lockNames())
	steps, permille := p.param("steps", 0, lockSteps), p.param("permille", 0, 250)
	readers, n, layout := p.number("readers", 0, 0), p.number("locks", 1, 1), p.keys["layout"]
	if permille > 1000 || readers > 1000 || n > locksMax {
		refuse("permille=%d, readers=%d or locks=%d is over 1000, 1000 or %d", permille, readers, n, locksMax)
	}
	if layout != "" && layout != "padded" && layout != "packed" {
		refuse("layout=%s is not one of padded,packed", layout)
	}
	proto := locking{readers: readers, batch: 1, inside: steps/1000*permille + steps%1000*permille/1000}
	proto.outside = steps - proto.inside
	if steps < fewSteps {
		proto.batch = lockBatch
		p.said += fmt.Sprintf(" batch=%d", proto.batch)
	}
	shared := &lockCell{}
	for _, l := range locks {
		if l.name == name {
			shared.slots, proto.shared = l.slots(int(n), layout == "packed"), l.shared
		}
	}
	return func(w int) operation {
		o := proto
		o.cell, o.w, o.choice = shared, uint64(w), 1+uint64(w)
		return &o
	}
}

func (o *locking) begin(timed bool) uint64 {
	o.timed, o.size = timed, o.batch
	if timed {
		o.size = 1
	}
	return o.size
}

func (o *locking) run(i uint64) (sum uint64, more bool) {
	if o.timed {
		return o.time(i), true
	}
	for end := i + o.size; i != end; i++ {
		x := minstd(1+i%64, o.outside)
		slot, reads, fine := o.cell.slots[o.next()], o.reads(i), true
		if reads && o.shared {
			slot.lock.RLock()
			x, fine = slot.work(x, o.inside, reads)
			slot.lock.RUnlock()
		} else {
			slot.lock.Lock()
			x, fine = slot.work(x, o.inside, reads)
			slot.lock.Unlock()
		}
		same(fine)
		sum += x
	}
	return sum, true
}

// time is one operation of the latency pass.
func (o *locking) time(i uint64) uint64 {
	x := minstd(1+i%64, o.outside)
	k := o.next()
	slot, reads, fine := o.cell.slots[k], o.reads(i), true
	at, free := owner{w: o.w, requested: now()}, uint64(0)
	if reads && o.shared {
		slot.lock.RLock()
		at.acquired = now()
		x, fine = slot.work(x, o.inside, reads)
		at.released = now()
		slot.lock.RUnlock()
	} else {
		slot.lock.Lock()
		at.acquired = now()
		free = slot.released
		x, fine = slot.work(x, o.inside, reads)
		at.released = now()
		slot.released = at.released
		if k == 0 {
			o.cell.note(at)
		}
		slot.lock.Unlock()
	}
	same(fine)
	o.parts.record(at, reads, free)
	return x
}

func (o *locking) reads(i uint64) bool { return o.readers > 0 && i*617%1000 < o.readers }

func (o *locking) next() int {
	if len(o.cell.slots) == 1 {
		return 0
	}
	o.choice = o.choice * 48271 % modulus
	return int(o.choice % uint64(len(o.cell.slots)))
}

// work does the steps between load and store of the counter; fine is false if a reader saw it change.
func (s *lockSlot) work(x, steps uint64, reads bool) (result uint64, fine bool) {
	count := s.count
	x = minstd(x, steps)
	if reads {
		return x, s.count == count
	}
	s.count = count + 1
	return x, true
}

func same(fine bool) {
	if !fine {
		panic(failure{"checksum", "a reader saw the counter change while it had the lock: it does not exclude writers"})
	}
}
