package main

// The threads of the process: made before they are needed, and read all at once where none belongs to a worker.

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

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

// A board holds the readings of all threads of a cell that keeps none for a worker: whoever crosses a
// boundary first reads them all.
type board struct {
	threads []thread
	claimed []uint32
	rows    []uint64 // by boundary, thread: CPU time, run delay
}

func newBoard(threads []thread, boundaries int) *board {
	return &board{threads, written[uint32](boundaries), written[uint64](2 * boundaries * len(threads))}
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
