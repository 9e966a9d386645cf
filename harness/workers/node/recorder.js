'use strict';

/**
 * What one worker records in one release, and the lines it becomes: windows, histograms, spans.
 *
 * All of it is allocated and touched before the start; in the loop it is only written to.
 */

const { Failure, M, line } = require('./protocol.js');
const { absolute, clock } = require('./system.js');

const PASSES = ['throughput', 'latency', 'counters'];
const INTERVALS_MAX = 1 << 20;
const SPANS_MAX = 1 << 16; // ends of operations that fit a line
const HISTOGRAMS_MAX = 64; // of a cell, 127 kB each: touched in far less than the lead
const PARTS = ['wait', 'hold', 'handoff', 'read_wait', 'read_hold']; // of an operation of `lock`
const BUCKETS = 31 << 10; // up to 2^40 ns: what takes longer counts there

/** How a `go` line cuts the clock, and what is recorded. */
function planOf(keys) {
  const pass = keys.text('pass', 'throughput');
  if (!PASSES.includes(pass)) throw new Failure(`pass=${pass} is not one of ${PASSES}`);
  const plan = {
    ramp_ns: keys.number('ramp_ns', 0),
    window_ns: keys.number('window_ns', undefined, 1),
    windows: keys.number('windows', undefined, 0, INTERVALS_MAX),
    tail_ns: keys.number('tail_ns', 0),
    timed: pass === 'latency',
    spans: Math.min(SPANS_MAX, keys.number('spans', 0)),
  };
  if (plan.ramp_ns / plan.window_ns > INTERVALS_MAX) throw new Failure('window_ns= is too short for this ramp_ns=');
  return plan;
}

/** HdrHistogram's bucket at three digits. Shifts hold 32 bits, so longer than 4.3 s goes by division. */
function bucket(v) {
  if (v < 4294967296) {
    const k = Math.max(0, 21 - Math.clz32(v));
    return (k << 10) + (v >>> k);
  }
  const k = 53 - Math.clz32(v / 4294967296);
  return Math.min(BUCKETS - 1, (k << 10) + Math.floor(v / 2 ** k));
}

/** One worker's record of one release: a row at every boundary, latencies, ends of operations. */
class Take {
  constructor(plan, figures, startNs, workers, inParts) {
    const { ramp_ns, window_ns, windows, tail_ns, timed, spans } = plan;
    // All fields keep their kind from warm-up to go (`plan` would not: it comes in a message then), or the loop, once
    // compiled for them, would be thrown away.
    Object.assign(this, { figures, windows, timed, spans });
    this.beginNs = startNs + ramp_ns; // nominal, of window 0
    this.ramps = Math.max(1, Math.floor(ramp_ns / window_ns));
    this.edges = new Float64Array(this.ramps + windows + 1);
    for (let k = 0; k < this.ramps + windows; k++) this.edges[k] = this.beginNs + (k + 1 - this.ramps) * window_ns;
    this.edges[this.ramps + windows] = this.beginNs + windows * window_ns + tail_ns;
    this.width = 3 + figures.names.length;
    this.rows = new Float64Array(this.width * (this.edges.length + 1)).fill(0);
    this.at = 0; // edges crossed
    this.left = false; // before the next edge; a last row says when
    this.startedNs = startNs;
    this.batch = 1; // operations a turn of the loop
    this.check = 0; // to begin with
    // A histogram a window, or one over all; the last is for ramp and tail, and is forgotten.
    this.merged = (windows + 1) * workers > HISTOGRAMS_MAX;
    this.histograms = timed ? (this.merged ? 1 : windows) + 1 : 0;
    this.histogram = 0; // of the interval the worker is in
    this.parts = inParts && timed ? PARTS.length : 0; // behind them one for each part, and one to be forgotten
    this.inside = false; // the windows
    const all = this.histograms + (this.parts && this.parts + 1);
    this.counts = new Uint32Array(all * BUCKETS).fill(0);
    this.exact = new Float64Array(all * 4); // n, min, max, sum of each
    for (let h = 0; h < all; h++) this.exact[4 * h + 1] = Infinity;
    this.ends = new Float64Array(spans).fill(0);
    this.filled = 0;
  }

  // What the loop calls.

  enter() {
    this.figures.read();
    this.fill(0, clock(), 0, this.check);
    this.open();
  }

  /** By the first operation that ends at or after an edge; whether it was the last one. */
  cross(now, turns, check) {
    const { edges } = this;
    this.figures.read();
    do this.fill(++this.at, now, turns, check);
    while (this.at < edges.length && now >= edges[this.at]);
    this.open();
    return this.at === edges.length;
  }

  /** The others have stopped: its last operation ended before the next edge. */
  leave(now, turns, check) {
    this.figures.read();
    this.fill(this.at + 1, now, turns, check);
    this.left = true;
  }

  record(v) {
    this.add(this.histogram, v);
  }

  /** An acquisition of `lock`; `free` is when the owner before began to give the lock away. */
  acquired(reads, asked, got, gone, free) {
    const [wait, hold, handoff, aside] = [reads ? 3 : 0, reads ? 4 : 1, 2, 5];
    const { histograms, inside } = this;
    this.add(histograms + (inside ? wait : aside), got - asked);
    this.add(histograms + (inside ? hold : aside), gone - got);
    if (!reads && free > asked && got >= free) this.add(histograms + (inside ? handoff : aside), got - free);
  }

  add(histogram, v) {
    const { exact } = this;
    const at = 4 * histogram;
    exact[at] += 1;
    exact[at + 1] = Math.min(exact[at + 1], v);
    exact[at + 2] = Math.max(exact[at + 2], v);
    exact[at + 3] += v;
    this.counts[histogram * BUCKETS + bucket(v)] += 1;
  }

  fill(k, now, turns, check) {
    const { rows, figures } = this;
    const at = k * this.width;
    rows[at] = now;
    rows[at + 1] = turns;
    rows[at + 2] = check;
    for (let j = 0; j < figures.values.length; j++) rows[at + 3 + j] = figures.values[j];
  }

  open() {
    const i = this.at - this.ramps;
    this.inside = i >= 0 && i < this.windows;
    this.histogram = i < 0 || i >= this.windows ? this.histograms - 1 : this.merged ? 0 : i;
  }

  // What is told afterwards.

  row(k) {
    return this.rows.subarray(k * this.width, (k + 1) * this.width);
  }

  last() {
    return this.row(this.at + Number(this.left));
  }

  report(key) {
    const [entered] = this.row(0);
    const [ended, turns, check] = this.last();
    const stamps = { started_ns: absolute(this.startedNs), entered_ns: absolute(entered), ended_ns: absolute(ended) };
    let out = '';
    for (let k = 0; k < this.at + Number(this.left); k++) out += line('window', { ...key, ...this.window(k) });
    out += line('total', { ...key, ops: turns * this.batch, check, ...stamps });
    if (this.spans) out += line('span', { ...key, t: this.ends.subarray(0, this.filled).join() });
    for (let h = 0; h < this.histograms - 1; h++) {
      if (this.exact[4 * h] > 0) out += line('hist', { ...key, ...this.hist(h, 'op', this.merged ? undefined : h) });
    }
    for (let k = 0; k < this.parts; k++) {
      const h = this.histograms + k;
      if (this.exact[4 * h] > 0) out += line('hist', { ...key, ...this.hist(h, PARTS[k]) });
    }
    return out;
  }

  /** The k-th interval, between rows k and k + 1. */
  window(k) {
    const [a, b] = [this.row(k), this.row(k + 1)];
    const tail = k + 1 === this.edges.length;
    const values = {
      i: k - this.ramps,
      tail: tail ? 1 : undefined,
      ops: (b[1] - a[1]) * this.batch,
      check: (b[2] - a[2] + M) % M,
      first_ns: absolute(a[0]),
      // In the tail the end of its last operation is its end; anywhere else it did not cross out.
      last_ns: tail || k < this.at ? absolute(b[0]) : undefined,
    };
    this.figures.names.forEach((name, j) => (values[name] = name === 'cpu' ? b[3 + j] : b[3 + j] - a[3 + j]));
    return values;
  }

  hist(h, name, i) {
    const [n, min, max, sum] = this.exact.subarray(4 * h);
    const b = [];
    this.counts.subarray(h * BUCKETS, (h + 1) * BUCKETS).forEach((count, k) => count && b.push(`${k}:${count}`));
    return { i, name, unit: 'ns', n, min, max, sum, b: b.join() };
  }
}

module.exports = { Take, planOf };
