'use strict';

/**
 * Worker of the harness in JavaScript: worker_threads of Node.js 16 and later, built-in modules, one file.
 *
 * Speaks PROTOCOL.md version 1 on stdin and stdout. What lives here: the lines, the operations, the hot
 * loops, their record, and N threads of them at once. What never will: pinning, counters, statistics (all
 * the harness's). README.md says how each choice touches fairness.
 */

const fs = require('fs');
const os = require('os');
const { Worker, MessageChannel, isMainThread, parentPort, receiveMessageOnPort, workerData } = require('worker_threads');

const M = 2147483647; // checks are sums modulo this
const FEATURES = ['alternate', 'spans'];
const PASSES = ['throughput', 'latency', 'counters'];
const LEAD_NS = 20000000; // to wake, and to allocate and touch the record
const WARM_NS = 1000000; // one interval of a warm-up run
const WARM_SPIN_NS = 100000;
const WARM_RUNS = 10; // at least, and where operations can be made short
const WARM_RUNS_MAX = 50; // at most, until each worker has done
const WARM_TURNS = 20000; // of its loop: enough for the optimising compiler
const WORKERS_MAX = 4096;
const INTERVALS_MAX = 1 << 20;
const SPANS_MAX = 1 << 16; // ends of operations that fit a line
const LINE_BYTES_MAX = 1 << 20;
const HISTOGRAMS_MAX = 64; // of a cell, 127 kB each: touched in far less than LEAD_NS
const SPIN_NS = 20000000; // of waiting for another worker, before the CPU is given up
const SPIN_CROWDED_NS = 20000; // the same with more workers than CPUs

// --- The clock -------------------------------------------------------------------------------------

// CLOCK_MONOTONIC counts from a second shortly before this program started: as a double that is exact for 104
// days of the program, however long the machine has been up. All threads share the second. Shortly before: so no
// stamp is a small integer, for which code would be compiled that is thrown away when they outgrow it.
const EPOCH_S = isMainThread ? process.hrtime()[0] - 100 : workerData.epochS;
const EPOCH_NS = BigInt(EPOCH_S) * 1000000000n;
const { hrtime } = process; // not hrtime.bigint: that makes an object a reading, this array is optimised away

function clock() {
  const t = hrtime();
  return (t[0] - EPOCH_S) * 1e9 + t[1];
}

const absolute = (ns) => EPOCH_NS + BigInt(ns);

// --- Lines -----------------------------------------------------------------------------------------

/** What an `error` line says: its kind and a message that names the next step. */
class Failure extends Error {
  constructor(message, kind = 'unsupported') {
    super(message);
    this.kind = kind;
  }

  static of(error) {
    if (error instanceof Failure) return error;
    const few = error instanceof RangeError || /OUT_OF_MEMORY|INIT_FAILED|EAGAIN|ENOMEM/.test(error.code);
    const hint = few ? '; fewer workers, or a higher limit of memory or threads (ulimit -u)' : '';
    const files = error.code === 'EMFILE' ? '; raise `ulimit -n`' : '';
    return new Failure(`${error.name}: ${error.message}${hint}${files}`, few || files ? 'oom' : 'internal');
  }
}

const hex = (text) => Buffer.from(text).toString('hex').toUpperCase().replace(/../g, '%$&');
const escape = (text) => String(text).replace(/[%\p{C}\p{Z}]/gu, hex);

/** One line; what is unknown (undefined, NaN) is left out. */
function line(verb, values) {
  const known = Object.entries(values).filter(([, v]) => v !== undefined && !Number.isNaN(v));
  return [verb, ...known.map(([k, v]) => `${k}=${escape(v)}`)].join(' ') + '\n';
}

function unescape(text) {
  if (/%(?![0-9a-f]{2})/i.test(text)) throw new Failure('a % is not followed by two hex digits');
  return text.replace(/(%..)+/g, (run) => Buffer.from(run.replace(/%/g, ''), 'hex').toString());
}

/** The keys of a line from the harness. */
class Keys extends Map {
  constructor(pairs) {
    super();
    for (const pair of pairs) {
      const is = (pair + '=').indexOf('=');
      this.set(pair.slice(0, is), unescape(pair.slice(is + 1)));
    }
  }

  text(key, otherwise = '') {
    return this.has(key) ? this.get(key) : otherwise;
  }

  /** A whole number that a double holds exactly. */
  number(key, otherwise, least = 0, most = Number.MAX_SAFE_INTEGER) {
    if (!this.has(key) && otherwise !== undefined) return otherwise;
    const text = this.text(key);
    const n = /^\d+$/.test(text) ? Number(text) : NaN;
    if (n >= least && n <= most) return n;
    throw new Failure(`${key}=${text} is not a whole number from ${least} to ${most}`);
  }

  /** A moment of CLOCK_MONOTONIC, as this program counts it. */
  moment(key) {
    const text = this.text(key);
    if (/^\d{1,19}$/.test(text)) return Number(BigInt(text) - EPOCH_NS);
    throw new Failure(`${key}=${text} is not a moment in ns`);
  }
}

/** Lines of a stream of bytes; a torn one at its end is none, one too long is a verb nobody knows. */
async function* linesOf(source) {
  let parts = [];
  let bytes = 0;
  for await (const chunk of source) {
    let at = 0;
    for (let end; (end = chunk.indexOf(10, at)) >= 0; at = end + 1) {
      bytes += end + 1 - at;
      parts.push(chunk.subarray(at, end));
      yield bytes > LINE_BYTES_MAX ? 'line-over-1-MiB' : Buffer.concat(parts).toString();
      parts = [];
      bytes = 0;
    }
    bytes += chunk.length - at;
    if (bytes <= LINE_BYTES_MAX) parts.push(chunk.subarray(at));
    else parts = [];
  }
}

// --- The record of one worker ----------------------------------------------------------------------

/** What the kernel says of the calling thread, from files it opened beforehand. What can't be read stays NaN. */
class Figures {
  constructor() {
    this.names = ['cpu_ns', 'delay_ns', 'vcsw', 'ivcsw', 'cpu'];
    this.values = new Float64Array(this.names.length).fill(NaN);
    this.files = ['schedstat', 'status', 'stat'].map((name) => {
      try {
        return { fd: fs.openSync('/proc/thread-self/' + name), bytes: Buffer.alloc(8192) };
      } catch (error) {
        return undefined;
      }
    });
    this.switches = Buffer.from('\nvoluntary_ctxt_switches');
    this.at = 0;
  }

  read() {
    const [schedstat, status, stat] = this.files;
    const { values } = this;
    // Brings the kernel's account of this thread up to date, which else is as old as its last tick.
    process.cpuUsage();
    if (schedstat && fs.readSync(schedstat.fd, schedstat.bytes, 0, 96, 0) > 0) {
      this.at = 0;
      values[0] = this.next(schedstat.bytes);
      values[1] = this.next(schedstat.bytes);
      if (values[0] === 0) values.fill(NaN, 0, 2); // a kernel that doesn't account says 0 0 0
    }
    if (status && fs.readSync(status.fd, status.bytes, 0, 8192, 0) > 0) {
      this.at = status.bytes.indexOf(this.switches);
      if (this.at >= 0) {
        values[2] = this.next(status.bytes);
        values[3] = this.next(status.bytes);
      }
    }
    const size = stat ? fs.readSync(stat.fd, stat.bytes, 0, 1024, 0) : 0;
    if (size > 0) {
      this.at = stat.bytes.lastIndexOf(41, size - 1) + 3; // behind the name, which may hold anything, and the state
      for (let field = 4; field < 39; field++) this.next(stat.bytes);
      values[4] = this.next(stat.bytes);
    }
  }

  /** The next number; all are followed by something that is no digit. */
  next(bytes) {
    let n = 0;
    while (bytes[this.at] < 48 || bytes[this.at] > 57) this.at++;
    while (bytes[this.at] >= 48 && bytes[this.at] <= 57) n = n * 10 + bytes[this.at++] - 48;
    return n;
  }
}

const BUCKETS = 31 << 10; // up to 2^40 ns: what takes longer counts there

/** HdrHistogram's bucket at three digits. Shifts hold 32 bits, so longer than 4.3 s goes by division. */
function bucket(v) {
  if (v < 4294967296) {
    const k = Math.max(0, 21 - Math.clz32(v));
    return (k << 10) + (v >>> k);
  }
  const k = 53 - Math.clz32(v / 4294967296);
  return Math.min(BUCKETS - 1, (k << 10) + Math.floor(v / 2 ** k));
}

/** One worker's record of one release: a row at every boundary, latencies, ends of operations; made before the start. */
class Take {
  constructor(plan, figures, startNs, workers) {
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
    this.counts = new Uint32Array(this.histograms * BUCKETS).fill(0);
    this.exact = new Float64Array(this.histograms * 4); // n, min, max, sum of each
    for (let h = 0; h < this.histograms; h++) this.exact[4 * h + 1] = Infinity;
    this.ends = new Float64Array(spans).fill(0);
    this.filled = 0;
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
    this.histogram = i < 0 || i >= this.windows ? this.histograms - 1 : this.merged ? 0 : i;
  }

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
    const { exact, histogram } = this;
    const at = 4 * histogram;
    exact[at] += 1;
    exact[at + 1] = Math.min(exact[at + 1], v);
    exact[at + 2] = Math.max(exact[at + 2], v);
    exact[at + 3] += v;
    this.counts[histogram * BUCKETS + bucket(v)] += 1;
  }

  row(k) {
    return this.rows.subarray(k * this.width, (k + 1) * this.width);
  }

  report(key) {
    const { edges, figures } = this;
    const intervals = this.at + Number(this.left);
    let out = '';
    for (let k = 0; k < intervals; k++) {
      const [a, b] = [this.row(k), this.row(k + 1)];
      const tail = k + 1 === edges.length;
      // In the tail the end of its last operation is its end; anywhere else it did not cross out.
      const last_ns = tail || k < this.at ? absolute(b[0]) : undefined;
      const values = { ...key, i: k - this.ramps, tail: tail ? 1 : undefined, ops: (b[1] - a[1]) * this.batch };
      Object.assign(values, { check: (b[2] - a[2] + M) % M, first_ns: absolute(a[0]), last_ns });
      figures.names.forEach((name, j) => (values[name] = name === 'cpu' ? b[3 + j] : b[3 + j] - a[3 + j]));
      out += line('window', values);
    }
    const end = this.row(intervals);
    const stamps = { started_ns: this.startedNs, entered_ns: this.rows[0], ended_ns: end[0] };
    for (const name in stamps) stamps[name] = absolute(stamps[name]);
    out += line('total', { ...key, ops: end[1] * this.batch, check: end[2], ...stamps });
    if (this.spans) out += line('span', { ...key, t: this.ends.subarray(0, this.filled).join() });
    for (let h = 0; h < this.histograms - 1; h++) {
      const [n, min, max, sum] = this.exact.subarray(4 * h);
      if (n === 0) continue;
      const b = [];
      this.counts.subarray(h * BUCKETS, (h + 1) * BUCKETS).forEach((count, k) => count && b.push(`${k}:${count}`));
      out += line('hist', { ...key, i: this.merged ? undefined : h, name: 'op', unit: 'ns', n, min, max, sum, b: b.join() });
    }
    return out;
  }
}

// --- The work --------------------------------------------------------------------------------------

/**
 * MINSTD (Park, Miller and Stockmeyer 1993): each step needs the one before. Products stay below 2^47, so doubles hold
 * them. `%` on doubles is a slow loop of the old floating-point unit; as 2^31 is 1 modulo M, the high part is
 * added to the low one instead, which leaves less than 2^31 + 48274, and only the end is reduced to less than M.
 * There is no branch for rare values: code compiled before it was first taken would be thrown away then.
 */
function minstd(x, steps) {
  for (let k = steps; k > 0; k--) {
    const p = x * 48271;
    x = p - Math.floor(p * 2 ** -31) * M;
  }
  return x % M;
}

/** The sum of a chunk, four at a time, so that memory and not the chain of additions is the limit. */
function sum(table, from, to) {
  let a = 0, b = 0, c = 0, d = 0, j = from;
  for (; j + 4 <= to; j += 4) {
    a += table[j];
    b += table[j + 1];
    c += table[j + 2];
    d += table[j + 3];
  }
  for (; j < to; j++) a += table[j];
  return (a + b + c + d) % M;
}

// Words that the threads of a cell share, 128 bytes apart, as cache lines are fetched in pairs.
const [BUSY, ARRIVED, ROUND, STOP, TICKETS, SERVING, GATES] = [0, 32, 64, 96, 128, 160, 192];
const OVER = ROUND + 1;

/**
 * Waits until a word has a value: spins, reading the clock, for some time, then gives the CPU up until the word changes.
 * JavaScript has no yield, and a pause only in recent versions.
 */
function waitUntil(words, word, value, spinNs) {
  let giveUp = clock() + spinNs;
  for (let at; (at = Atomics.load(words, word)) !== value; ) {
    if (clock() < giveUp) continue;
    Atomics.wait(words, word, at);
    giveUp = clock() + spinNs;
  }
}

function change(words, word, value) {
  Atomics.store(words, word, value);
  Atomics.notify(words, word);
}

/** What the workers of a `serial` cell do with these words: a barrier and a ticket lock. */
class Rounds {
  constructor(words) {
    this.words = words;
    this.parties = 1;
    this.spinNs = 0;
  }

  /**
   * Waits for all; whether there is another round. The last to arrive decides it for all: a slow worker may come
   * out of a barrier when a quick one has already done the round behind it, and asked to stop.
   */
  meet() {
    const { words } = this;
    const next = (Atomics.load(words, ROUND) + 1) | 0;
    if (Atomics.add(words, ARRIVED, 1) + 1 === this.parties) {
      Atomics.store(words, OVER, Atomics.load(words, STOP));
      Atomics.store(words, ARRIVED, 0);
      change(words, ROUND, next);
    } else {
      waitUntil(words, ROUND, next, this.spinNs);
    }
    return Atomics.load(words, OVER) === 0;
  }

  finish() {
    Atomics.store(this.words, STOP, 1);
    this.meet();
  }

  lock() {
    waitUntil(this.words, SERVING, Atomics.add(this.words, TICKETS, 1), this.spinNs);
  }

  unlock() {
    change(this.words, SERVING, (Atomics.load(this.words, SERVING) + 1) | 0);
  }
}

const word = () => new Int32Array(new SharedArrayBuffer(4));

/** The lines of `chase`: an element of 32 bits at the begin of each, of which Math.imul gives the low ones exactly. */
function chaseTable(bytes) {
  const lines = 2 ** Math.floor(Math.log2(bytes / 64));
  const table = new Int32Array(lines * 16);
  for (let k = 0; k < lines; k++) table[k * 16] = (Math.imul(1103515245, k) + 12345) & (lines - 1);
  return table;
}

function streamTable(bytes) {
  const table = new Float64Array(bytes / 8); // whole numbers, exact to 2^53
  for (let j = 0; j < table.length; j++) table[j] = j;
  return table;
}

// Of each operation: its parameters with defaults and bounds; what its loop keeps in locals, made by the thread that
// will use it; the lines of the loop that differ. They leave the result in `r`, less than M. `quick` is the same work
// made short, for a warm-up: so the loop around it is compiled, too.
const OPERATIONS = {
  noop: {
    params: { batch: [1000, 1] },
    make: ({ batch }) => ({ batch }),
    quick: { batch: 64 },
    operation: 'let r = 0; for (let k = batch; k > 0; k--) r++;',
  },
  cpu: {
    params: { steps: [15000, 1] },
    make: ({ steps }) => ({ steps }),
    quick: { steps: 64 },
    operation: 'const r = minstd(1 + (turns & 63), steps);',
  },
  sleep: {
    params: { sleep_ns: [1000000, 0] },
    // Whole microseconds are waited for, and fractions cut off: never shorter than asked.
    make: ({ sleep_ns }) => ({ own: word(), ms: (Math.ceil(sleep_ns / 1000) + 0.5) / 1000 }),
    operation: 'Atomics.wait(own, 0, 0, ms); const r = 1;',
  },
  pipe: {
    params: { first: [0, 0], delay_ns: [0, 0] },
    make({ dir, first }, { w }) {
      const fifo = (end) => fs.openSync(`${dir}/w${w + first}.${end}`, 'r+'); // so opening waits for nobody
      return { request: fifo('req'), response: fifo('rsp'), byte: Buffer.alloc(1) };
    },
    operation: `byte[0] = turns % 251;
    writeSync(request, byte, 0, 1, null);
    readSync(response, byte, 0, 1, null);
    const r = byte[0];`,
  },
  chase: {
    params: { bytes: [2 ** 27, 64, 2 ** 33], steps: [1024, 1] },
    make: ({ bytes, steps }) => ({ table: chaseTable(bytes), steps }),
    quick: { steps: 64 },
    setup: 'let r = 0;',
    operation: 'for (let k = steps; k > 0; k--) r = table[r << 4];',
  },
  stream: {
    params: { bytes: [2 ** 27, 8, 2 ** 33], chunk: [2 ** 20, 8, 2 ** 33] },
    make: ({ bytes, chunk }) => ({ table: streamTable(bytes), chunks: bytes / chunk, elements: chunk / 8 }),
    quick: { elements: 64 },
    operation: 'const from = turns % chunks * elements; const r = sum(table, from, from + elements);',
  },
  serial: {
    params: { steps: [250000, 1], permille: [0, 0, 1000] },
    make({ steps, permille }, { rounds }) {
      const locked = Math.floor((steps * permille) / 1000);
      return { rounds, apart: steps - locked, locked };
    },
    quick: { apart: 64, locked: 64 },
    meet: 'rounds.meet()',
    operation: `let r = minstd(1 + (turns & 63), apart);
    rounds.lock();
    r = minstd(r, locked);
    rounds.unlock();`,
    finish: 'rounds.finish();',
  },
};
const WORKLOADS = ['noop', 'cpu', 'sleep', 'pipe', 'mem', 'serial'];

/** Which operation a `prepare` line asks for, and its parameters. */
function taskOf(keys) {
  const [workload, dir] = [keys.text('workload'), keys.text('dir')];
  const operation = workload === 'mem' ? keys.text('kind', 'chase') : workload;
  if (!WORKLOADS.includes(workload) || !(operation in OPERATIONS)) {
    throw new Failure(`workload=${workload} is not one of ${WORKLOADS}, or kind= of mem none of chase,stream`);
  }
  const params = {};
  for (const [name, [otherwise, least, most = M - 1]] of Object.entries(OPERATIONS[operation].params)) {
    params[name] = keys.number(name, otherwise, least, most);
  }
  const { bytes, chunk } = params;
  if (operation === 'pipe' && !dir) throw new Failure('dir= is missing');
  if (operation === 'stream' && (chunk % 8 || bytes % chunk)) {
    throw new Failure('bytes= is no multiple of chunk=, or chunk= none of 8');
  }
  if (operation === 'stream' && (chunk / 8) * (bytes / 8) > Number.MAX_SAFE_INTEGER) {
    throw new Failure('sums of such a chunk= would not be exact in doubles: a smaller one');
  }
  return { operation, params, dir };
}

/**
 * The hot loop of one operation, all made from this, so that they can't differ in anything but the lines put in. Each has
 * a function of its own: what the compiler learns of types belongs to a function. It counts turns, not operations, which in
 * batches outgrow the machine's small integers within seconds, and then the compiled form made for them.
 */
function loopOf({ setup = '', meet = 'true', operation, finish = '' }, locals, timed) {
  const source = `'use strict';
return function loop(take, ${locals}) {
  const { edges, ends, beginNs } = take;
  let { check } = take;
  let turns = 0, filled = 0, now = 0;
  ${setup}
  take.enter();
  let edge = edges[0];
  while (${meet}) {
    ${timed ? 'const began = clock();' : ''}
    ${operation}
    now = clock();
    ${timed ? 'take.record(now - began);' : ''}
    turns++;
    check += r;
    if (check >= M) check -= M;
    if (filled < ends.length && now >= beginNs) ends[filled++] = now - beginNs;
    if (now >= edge) {
      take.filled = filled;
      if (take.cross(now, turns, check)) {
        ${finish}
        return;
      }
      edge = edges[take.at];
    }
  }
  take.leave(now, turns, check);
};`;
  const tools = { M, clock, minstd, sum, readSync: fs.readSync, writeSync: fs.writeSync };
  return new Function(...Object.keys(tools), source)(...Object.values(tools));
}

// --- One worker ------------------------------------------------------------------------------------

/** One worker: made, and ordered about, on the thread that runs it. */
class Lane {
  constructor(w, words, { operation, params, dir }) {
    Object.assign(this, { w, params: { ...params, dir }, operation: OPERATIONS[operation] });
    this.rounds = new Rounds(words);
    this.takes = new Map(); // by slot
  }

  /** Opens what the loop needs; the carrier's thread id. */
  open() {
    this.figures = new Figures();
    this.job = this.operation.make(this.params, this);
    this.loops = [false, true].map((timed) => loopOf(this.operation, Object.keys(this.job), timed));
    this.own = word();
    return Number(fs.readlinkSync('/proc/thread-self').split('/')[2]);
  }

  /** Runs a loop for a moment, crossings, ends and report included; turns of the loop, ns an operation. */
  warm({ timed, quick, parties, intervalNs }) {
    const startNs = clock() + 2 * WARM_SPIN_NS;
    const plan = { ramp_ns: intervalNs, window_ns: intervalNs, windows: 1, tail_ns: 0, timed, spans: 64 };
    const take = new Take(plan, this.figures, startNs, 1);
    take.check = M - 1; // the first operation brings it round
    this.awaitStart(take, startNs, WARM_SPIN_NS);
    // Quick ones give the CPU up at once, so that the code for that is warm, too.
    this.work(take, parties, quick ? 0 : SPIN_NS, quick);
    take.report({ w: this.w });
    const [first, last] = [take.row(0), take.row(take.at + Number(take.left))];
    return { turns: last[1], opNs: (last[0] - first[0]) / (last[1] * take.batch || 1) };
  }

  awaitStart(take, startNs, spinNs) {
    for (let left; (left = startNs - spinNs - clock()) > 0; ) Atomics.wait(this.own, 0, 0, left / 1e6);
    if (spinNs > 0) this.figures.read(); // its code and data are out of the caches after the sleep, and it is slow then
    do take.startedNs = clock();
    while (take.startedNs < startNs);
  }

  work(take, parties, spinNs, changed) {
    const job = { ...this.job, ...changed };
    if (take.timed && job.batch) job.batch = 1;
    take.batch = job.batch || 1;
    Object.assign(this.rounds, { parties, spinNs });
    this.loops[Number(take.timed)](take, ...Object.values(job));
  }

  forget() {
    this.takes.clear();
  }

  /** Allocates the record of a slot, before its start. */
  arm({ plan, slot, startNs, parties }) {
    this.takes.set(slot, new Take(plan, this.figures, startNs, parties));
  }

  run({ slot, startNs, spinNs, parties, crowded }) {
    const take = this.takes.get(slot);
    this.awaitStart(take, startNs, spinNs);
    this.work(take, parties, crowded ? SPIN_CROWDED_NS : SPIN_NS, {});
  }

  report({ id, withSlot }) {
    let out = '';
    for (const [slot, take] of this.takes) out += take.report({ id, slot: withSlot ? slot : undefined, w: this.w });
    return out;
  }
}

/** Body of a worker thread: obeys orders, parked in between, and never comes back to its event loop. */
function serve({ w, words, port, task }) {
  const lane = new Lane(w, words, task);
  for (let seen = 0; ; seen++) {
    while (Atomics.load(words, GATES + 32 * w) === seen) Atomics.wait(words, GATES + 32 * w, seen);
    const order = receiveMessageOnPort(port).message;
    try {
      const value = lane[order.verb](order);
      if (value !== undefined) port.postMessage(value); // a message wakes the main thread: none after a run
    } catch (error) {
      const { message, kind } = Failure.of(error);
      parentPort.postMessage({ message, kind }); // at once: others may wait for this one
    }
    if (Atomics.sub(words, BUSY, 1) === 1) parentPort.postMessage(0); // the opener wakes once, when all are done
  }
}

// --- N workers at once -----------------------------------------------------------------------------

/** N threads, parked in Atomics.wait on a word each. */
class Cell {
  constructor(n, task) {
    this.n = n;
    this.words = new Int32Array(new SharedArrayBuffer(4 * (GATES + 32 * n)));
    this.threads = [];
    this.ports = [];
    this.done = () => {}; // called when all that were told have parked, or one has failed or died
    this.ran = false;
    for (let w = 0; w < n; w++) {
      const { port1, port2 } = new MessageChannel();
      const data = { w, words: this.words, port: port2, task, epochS: EPOCH_S };
      const thread = new Worker(__filename, { workerData: data, transferList: [port2] });
      thread.on('message', (failed) => (failed ? this.fail(new Failure(failed.message, failed.kind)) : this.done()));
      thread.on('error', (error) => this.fail(Failure.of(error)));
      thread.on('exit', (code) => this.fail(new Failure(`the thread of worker ${w} ended with status ${code}`, 'internal')));
      this.threads.push(thread);
      this.ports.push(port1);
    }
  }

  fail(failure) {
    this.failure = this.failure || failure; // the first one: others follow from it
    this.done();
  }

  /** Gives an order to some workers and waits, in the event loop, until all have parked again; their answers. */
  async tell(from, to, verb, order = {}) {
    const { words, ports } = this;
    Atomics.store(words, BUSY, to - from);
    for (const at of [STOP, OVER]) Atomics.store(words, at, 0);
    const parked = new Promise((resolve) => (this.done = resolve));
    for (let w = from; w < to; w++) {
      ports[w].postMessage({ ...order, verb, parties: to - from });
      Atomics.add(words, GATES + 32 * w, 1);
      Atomics.notify(words, GATES + 32 * w);
    }
    if (!this.failure) await parked;
    if (this.failure) throw this.failure;
    return ports.slice(from, to).map((port) => (receiveMessageOnPort(port) || {}).message);
  }

  /** Stops threads wherever they are: parked, or waiting for one that died. */
  close() {
    return Promise.all(this.threads.map((thread) => thread.terminate()));
  }
}

// --- The session -----------------------------------------------------------------------------------

const cpus = (os.availableParallelism || (() => os.cpus().length))(); // asked before anybody is pinned

/** What timing one operation adds: the latency loop around nothing less the bare loop, least of ten. */
function timerCostPs() {
  const lane = new Lane(0, new Int32Array(GATES), { operation: 'noop', params: { batch: 1000 } });
  lane.open();
  let [bare, timed] = [Infinity, Infinity];
  for (let round = 0; round < 10; round++) {
    bare = Math.min(bare, lane.warm({ timed: false, parties: 1, intervalNs: WARM_NS }).opNs);
    timed = Math.min(timed, lane.warm({ timed: true, parties: 1, intervalNs: WARM_NS }).opNs);
  }
  return Math.max(0, Math.round(1000 * (timed - bare)));
}

/** Answers the harness, line by line; the prepared cells by id. */
class Session {
  constructor() {
    this.cells = new Map();
  }

  /** The lines that answer one line. */
  async answer(text) {
    const [verb, ...pairs] = text.split(' ').filter((part) => part);
    let keys = new Keys([]);
    try {
      keys = new Keys(pairs);
      for (const feature of keys.text('require').split(',')) {
        if (feature && !FEATURES.includes(feature)) throw new Failure(`require=${feature} is not known here`);
      }
      const verbs = { hello: this.hello, ping: this.ping, prepare: this.prepare, go: this.go, collect: this.collect };
      if (!Object.keys(verbs).includes(verb)) throw new Failure(`verb ${verb} is not known here`);
      return await verbs[verb].call(this, keys);
    } catch (error) {
      const { kind, message } = Failure.of(error);
      const phase = ['prepare', 'go', 'collect'].includes(verb) ? verb : undefined;
      return line('error', { id: keys.get('id'), ids: keys.get('ids'), phase, kind, msg: message });
    }
  }

  hello(keys) {
    if (keys.text('v') !== '1') throw new Failure('this worker speaks version 1');
    const flags = [...process.execArgv, ...(process.env.NODE_OPTIONS || '').split(' ')].filter((flag) => flag);
    const { node, v8, uv } = process.versions;
    return line('hello', {
      v: 1,
      lang: 'node',
      runtime: node,
      pid: process.pid,
      clock: 'CLOCK_MONOTONIC',
      timer: 'process.hrtime',
      timer_cost_ps: timerCostPs(),
      lead_ns: LEAD_NS,
      workloads: WORKLOADS.join(),
      mechanisms: 'workers',
      features: FEATURES.join(),
      v8,
      uv,
      flags: flags.join() || 'none',
      jit: flags.includes('--jitless') ? 0 : 1,
    });
  }

  ping(keys) {
    return line('pong', { n: keys.text('n'), now_ns: absolute(clock()) });
  }

  async prepare(keys) {
    const began = clock();
    const [id, n] = [keys.text('id'), keys.number('workers', undefined, 1, WORKERS_MAX)];
    if (!id) throw new Failure('id= is missing');
    if (keys.text('mechanism') !== 'workers') throw new Failure('mechanism= is not one of workers');
    const task = taskOf(keys);
    if (this.cells.has(id)) await this.drop([id]);
    const cell = new Cell(n, task);
    this.cells.set(id, cell);
    try {
      const carriers = await cell.tell(0, n, 'open');
      const { quick } = OPERATIONS[task.operation];
      const intervalNs = WARM_NS * Math.max(1, Math.ceil(n / cpus));
      for (const timed of [true, false]) {
        const turns = new Float64Array(n);
        const few = () => quick && turns.some((of) => of < WARM_TURNS);
        for (let k = 0; k < WARM_RUNS || (k < WARM_RUNS_MAX && few()); k++) {
          const runs = await cell.tell(0, n, 'warm', { timed, quick, intervalNs });
          runs.forEach((run, w) => (turns[w] += run.turns));
        }
        await cell.tell(0, n, 'warm', { timed, intervalNs });
      }
      const [{ opNs }] = await cell.tell(0, 1, 'warm', { timed: false, intervalNs });
      const map = carriers.map((tid, w) => `${w}:${tid}`).join();
      const setup_ns = Math.round(clock() - began);
      return line('ready', { id, carriers: carriers.join(), map, setup_ns, op_ns: Math.max(1, Math.round(opNs)), ...task.params });
    } catch (error) {
      await this.drop([id]);
      throw error;
    }
  }

  async drop(ids) {
    for (const id of ids) {
      const cell = this.cells.get(id);
      this.cells.delete(id);
      await cell.close();
    }
  }

  /** The ids of a go or collect line, and the key that echoes them. */
  chosen(keys) {
    const name = keys.has('ids') ? 'ids' : 'id';
    const ids = keys.text(name).split(',');
    for (const id of ids) {
      if (!this.cells.has(id)) throw new Failure(`cell ${id || 'without id'} is not prepared`);
    }
    if (new Set(ids).size < ids.length) throw new Failure(`${name}=${keys.text(name)} names a cell twice`);
    return [ids, { [name]: keys.text(name) }];
  }

  async go(keys) {
    const [ids, echo] = this.chosen(keys);
    const [pass, order] = [keys.text('pass', 'throughput'), keys.text('order', '0')];
    if (!PASSES.includes(pass)) throw new Failure(`pass=${pass} is not one of ${PASSES}`);
    const plan = { timed: pass === 'latency', spans: Math.min(SPANS_MAX, keys.number('spans', 0)) };
    for (const name of ['ramp_ns', 'tail_ns']) plan[name] = keys.number(name, 0);
    plan.window_ns = keys.number('window_ns', undefined, 1);
    plan.windows = keys.number('windows', undefined, 0, INTERVALS_MAX);
    const slotNs = plan.ramp_ns + plan.windows * plan.window_ns + plan.tail_ns + keys.number('gap_ns', 0);
    const [start, spin] = [keys.moment('start_ns'), keys.number('spin_ns', 0)];
    if (!order || plan.ramp_ns / plan.window_ns > INTERVALS_MAX || !(start + slotNs * order.length < 2 ** 53)) {
      throw new Failure('order= is empty, window_ns= too short, or the end beyond what a double holds exactly');
    }
    const slots = [...order].map((c) => (/\d/.test(c) ? this.cells.get(ids[Number(c)]) : undefined));
    if (slots.includes(undefined)) throw new Failure(`order=${order} names a cell that ids= does not`);
    try {
      for (const id of ids) await this.cells.get(id).tell(0, this.cells.get(id).n, 'forget');
      for (const [slot, cell] of slots.entries()) {
        const crowded = cell.n > cpus; // then none spins: they would only keep each other from starting
        const release = { plan, slot, startNs: start + slot * slotNs, spinNs: crowded ? 0 : spin, crowded };
        await cell.tell(0, cell.n, 'arm', release);
        await cell.tell(0, cell.n, 'run', release);
      }
    } catch (error) {
      await this.drop(ids);
      throw error;
    }
    for (const id of ids) Object.assign(this.cells.get(id), { ran: true, withSlot: keys.has('ids') });
    return line('stopped', echo);
  }

  async collect(keys) {
    const [ids, echo] = this.chosen(keys);
    let out = '';
    for (const id of ids) {
      const cell = this.cells.get(id);
      if (!cell.ran) throw new Failure(`cell ${id} has not run: go comes first`);
      out += (await cell.tell(0, cell.n, 'report', { id, withSlot: cell.withSlot })).join('');
    }
    return out + line('done', echo);
  }
}

async function main() {
  const session = new Session();
  process.stdout.on('error', () => process.exit(1)); // nobody listens any more
  for await (const text of linesOf(process.stdin)) {
    if (text.split(' ')[0] === 'quit') break;
    if (text.trim()) process.stdout.write(await session.answer(text));
  }
  process.exit(0); // ends parked threads, too
}

if (isMainThread) main();
else serve(workerData);
