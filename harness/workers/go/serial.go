package main

// The workload `serial`: rounds of all workers, a known share of each under a lock.

import (
	"runtime"
	"sync/atomic"
)

const patience = 4096 // turns of a spinning wait before it yields the CPU

func readSerial(p *params) func(int) operation {
	steps, permille := p.param("steps", 1, serialSteps), p.param("permille", 0, 0)
	if permille > 1000 {
		refuse("permille=%d is over 1000", permille)
	}
	inside := steps/1000*permille + steps%1000*permille/1000
	return func(int) operation { return &serial{outside: steps - inside, inside: inside} }
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

// newTeam is one of size workers, who yield at once where they take turns.
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

// wait gives the processor to other goroutines after some turns. Threads are left to the kernel: each worker that
// does not take turns has one, and loops of sched_yield have made some kernels postpone their caller.
func (t *team) wait(turn uint64) {
	if turn >= t.patience {
		runtime.Gosched()
	}
}

// leave lets all stop behind the next barrier, so the one that asks has to go there too.
func (t *team) leave() { atomic.StoreUint32(&t.stop, 1) }

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
