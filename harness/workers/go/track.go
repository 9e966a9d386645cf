package main

// The record of one worker in one release, and the loops that write it.

import (
	"fmt"
	"io"
)

// A schedule is what `go` asks for, beside the start.
type schedule struct {
	ramp, window, windows, tail uint64
	spans                       uint64
	timed, merged               bool // a latency pass; with one histogram over all windows
}

func (s schedule) ramps() uint64 {
	if ramps := s.ramp / s.window; ramps > 1 {
		return ramps
	}
	return 1
}

// boundaries counts the entry, the ends of all intervals of the ramp, of the windows, and of the tail.
func (s schedule) boundaries() int { return int(s.ramps()+s.windows) + 2 }

// A mark is one crossing: its stamp, what was done by then, and the figures of the thread.
type mark struct {
	stamp, ops, check uint64
	figures           [5]uint64
}

var figures = [5]string{"cpu_ns", "delay_ns", "vcsw", "ivcsw", "cpu"}

// A track is one worker's record of one release.
type track struct {
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
	parts   *parts     // what its operations time themselves, if they do
	ends    []uint64
	filled  int
	started uint64
	board   *board
}

func newTrack(l *lane, plan schedule, start uint64, b *board) *track {
	t := &track{lane: l, plan: plan, begin: start + plan.ramp, ramps: int(plan.ramps()), board: b}
	for i := 1 - t.ramps; i <= int(plan.windows); i++ {
		t.edges = append(t.edges, t.begin+uint64(i)*plan.window)
	}
	t.edges = append(t.edges, t.edges[len(t.edges)-1]+plan.tail)
	t.marks = written[mark](plan.boundaries())
	t.ends = written[uint64](int(plan.spans))
	if plan.timed {
		t.aside = newHistogram(1 << 11)
		for i := uint64(0); i < plan.windows && !(plan.merged && i > 0); i++ {
			t.hists = append(t.hists, newHistogram(buckets+1<<11))
		}
		if _, ok := l.op.(*locking); ok {
			t.parts = newParts()
		}
	}
	return t
}

// run works from the start to the end of the tail.
func (t *track) run(started uint64) {
	t.started = started
	if o, ok := t.lane.op.(*locking); ok {
		o.parts = t.parts
	}
	if size := t.lane.op.begin(t.plan.timed); t.plan.timed {
		t.time()
	} else {
		t.count(size)
	}
}

// count is the loop of the throughput pass: a reading of the clock a run.
func (t *track) count(size uint64) {
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
func (t *track) time() {
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

// spanFrom is when the end of an operation is to be recorded; never, once all that fit are.
func (t *track) spanFrom() uint64 {
	if t.filled == len(t.ends) {
		return unknown
	}
	return t.begin
}

func (t *track) span(stamp uint64) uint64 {
	t.ends[t.filled] = stamp - t.begin
	t.filled++
	return t.spanFrom()
}

func (t *track) enter() (edge, entered uint64) {
	t.board.cross(0, &t.lane.probe)
	t.hist = t.histOf(0)
	figures := t.lane.figures()
	t.marks[0] = mark{now(), 0, 0, figures}
	return t.edges[0], t.marks[0].stamp
}

// cross is called by the first operation that ends at or after an edge; the next edge, or 0 to stop.
func (t *track) cross(stamp, ops, check uint64) uint64 {
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
		o.team.leave()
		return unknown
	}
	return 0
}

// leave ends the interval that the worker is in where there is no work left.
func (t *track) leave(stamp, ops, check uint64) {
	if t.at < len(t.edges) {
		t.at++
		t.marks[t.at] = mark{stamp, ops, check, t.lane.figures()}
	}
}

func (t *track) histOf(interval int) *histogram {
	window := interval - t.ramps
	inside := window >= 0 && window < int(t.plan.windows)
	if t.parts != nil {
		t.parts.inside = inside
	}
	switch {
	case !inside || len(t.hists) == 0:
		return t.aside
	case t.plan.merged:
		return t.hists[0]
	default:
		return t.hists[window]
	}
}

// write adds the lines of `collect`.
func (t *track) write(out io.Writer, key string) {
	key = fmt.Sprintf("%s w=%d", key, t.lane.w)
	for k := 0; k < t.at; k++ {
		t.writeWindow(out, key, k)
	}
	end := t.marks[t.at]
	fmt.Fprintf(out, "total %s ops=%d check=%d started_ns=%d entered_ns=%d ended_ns=%d\n",
		key, end.ops, end.check%modulus, t.started, t.marks[0].stamp, end.stamp)
	if len(t.ends) > 0 {
		fmt.Fprintf(out, "span %s t=%s\n", key, join(t.ends[:t.filled]))
	}
	for i, h := range t.hists {
		if t.plan.merged {
			h.write(out, key)
		} else {
			h.write(out, fmt.Sprintf("%s i=%d", key, i))
		}
	}
	if t.parts != nil {
		t.parts.write(out, key)
	}
}

func (t *track) writeWindow(out io.Writer, key string, k int) {
	a, b, tail := t.marks[k], t.marks[k+1], k-t.ramps == int(t.plan.windows)
	fmt.Fprintf(out, "window %s i=%d ops=%d check=%d first_ns=%d", key, k-t.ramps, b.ops-a.ops, (b.check-a.check)%modulus, a.stamp)
	if k+1 < t.at || t.at == len(t.edges) || tail { // else the worker left in it
		fmt.Fprintf(out, " last_ns=%d", b.stamp)
	}
	if tail {
		io.WriteString(out, " tail=1")
	}
	for j, name := range figures[:4] {
		difference(out, name, a.figures[j], b.figures[j])
	}
	difference(out, figures[4], 0, b.figures[4])
	io.WriteString(out, "\n")
}
