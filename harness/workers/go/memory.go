package main

// The workload `mem`: tables larger than the caches, a worker's own.

import (
	"fmt"
	"math/bits"
	"syscall"
	"unsafe"
)

func readMem(p *params) func(int) operation {
	bytes := p.param("bytes", 64, 128<<20)
	if p.keys["kind"] == "" || p.oneOf("kind", "chase,stream") == "chase" {
		steps := p.param("steps", 1, 1024)
		return func(int) operation { return newChase(bytes, steps) }
	}
	chunk := p.param("chunk", 8, 1<<20)
	if chunk%8 != 0 || bytes%chunk != 0 {
		refuse("bytes=%d is not a multiple of chunk=%d, or that not of 8", bytes, chunk)
	}
	return func(int) operation { return newStream(bytes, chunk) }
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
