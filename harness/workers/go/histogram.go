package main

// Durations of single operations: the latency pass.

import (
	"fmt"
	"io"
	"math/bits"
	"strings"
)

const (
	buckets  = 32 << 10 // one of its own for every duration up to 73 minutes
	histsMax = 16 << 20 // bytes of a cell's histograms, above which a worker keeps one over all windows
)

// A histogram has the buckets of HdrHistogram at three digits; minimum, maximum and sum are exact.
type histogram struct {
	_                [128]byte
	counts           []uint64
	n, min, max, sum uint64
	_                [128]byte
}

func newHistogram(size int) *histogram {
	return &histogram{counts: written[uint64](size), min: unknown}
}

// written is a slice that was written once, so that no page of it is missing in the loop.
func written[T any](n int) []T {
	words := make([]T, n)
	for i := range words {
		words[i] = *new(T)
	}
	return words
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

func (h *histogram) write(out io.Writer, key string) { h.writeAs(out, key, "op") }

func (h *histogram) writeAs(out io.Writer, key, name string) {
	if h.n == 0 {
		return
	}
	var pairs []string
	for bucket, count := range h.counts {
		if count > 0 {
			pairs = append(pairs, fmt.Sprintf("%d:%d", bucket, count))
		}
	}
	fmt.Fprintf(out, "hist %s name=%s unit=ns n=%d min=%d max=%d sum=%d b=%s\n", key, name, h.n, h.min, h.max, h.sum, strings.Join(pairs, ","))
}
