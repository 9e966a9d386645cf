package main

// What a worker does, operation by operation.

import (
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	modulus     = 2147483647
	cpuSteps    = 30000 // constants, never calibrated: trials are compared by operations
	serialSteps = 400000
)

// workloads says what each reads of the line of `prepare`; made of that, the operation of worker w.
var workloads = []struct {
	name string
	read func(p *params) func(w int) operation
}{
	{"noop", readNoop}, {"cpu", readCPU}, {"sleep", readSleep}, {"pipe", readPipe}, {"mem", readMem}, {"serial", readSerial},
	{"lock", readLock},
}

func workloadNames() string {
	var names []string
	for _, w := range workloads {
		names = append(names, w.name)
	}
	return strings.Join(names, ",")
}

// params are those of a workload; said are the ones that `ready` repeats.
type params struct {
	keys
	said string
}

func (p *params) param(name string, least, otherwise uint64) uint64 {
	value := p.number(name, least, otherwise)
	p.said += fmt.Sprintf(" %s=%d", name, value)
	return value
}

// workload is what a line of `prepare` asks for, and its parameters as `ready` says them.
func (k keys) workload() (build func(w int) operation, said string) {
	name, p := k.oneOf("workload", workloadNames()), &params{keys: k}
	for _, w := range workloads {
		if w.name == name {
			build = w.read(p)
		}
	}
	return build, p.said
}

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

func readNoop(p *params) func(int) operation {
	batch := p.param("batch", 1, 1000)
	return func(int) operation { return &noop{batch: batch} }
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

type cpu struct {
	plain
	steps uint64
}

func readCPU(p *params) func(int) operation {
	steps := p.param("steps", 1, cpuSteps)
	return func(int) operation { return &cpu{steps: steps} }
}

func (o *cpu) run(i uint64) (uint64, bool) { return minstd(1+i%64, o.steps), true }

// minstd is the chain of Park, Miller and Stockmeyer: each step needs the one before.
//
//go:noinline
func minstd(x, steps uint64) uint64 {
	for ; steps > 0; steps-- {
		x = x * 48271 % modulus
	}
	return x
}

type sleep struct {
	plain
	duration time.Duration
}

func readSleep(p *params) func(int) operation {
	duration := time.Duration(p.param("sleep_ns", 0, 1000000))
	return func(int) operation { return &sleep{duration: duration} }
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

func readPipe(p *params) func(int) operation {
	dir, first := p.keys["dir"], int(p.number("first", 0, 0))
	if dir == "" {
		refuse("dir= is missing")
	}
	return func(w int) operation { return openPipe(dir, first+w) }
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

// prove fails if the peer did not answer as it should: after that there is no use in measuring it.
func (o *pipe) prove(ops, check uint64) {
	for i := uint64(0); i < ops; i++ {
		check -= (7*(i%251) + 3) % 256
	}
	if check != 0 {
		panic(failure{"checksum", "the peer does not answer 7 b + 3: " + o.request.Name()})
	}
}

func (o *pipe) close() {
	o.request.Close()
	o.response.Close()
}
