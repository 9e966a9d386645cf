'use strict';

/** The work: the hot loop, and the operations it repeats, each with its parameters. */

const fs = require('fs');

const { LOCK, acquire, release, torn } = require('./lock.js');
const { Failure, M } = require('./protocol.js');
const { clock } = require('./system.js');

/**
 * The hot loop of one operation, all made from this, so that they can't differ in anything but the lines put in. Each has
 * a function of its own: what the compiler learns of types belongs to a function. It counts turns, not operations, which in
 * batches outgrow the machine's small integers within seconds, and then the compiled form made for them.
 */
function loopOf({ setup = '', meet = 'true', operation, timed: timedOperation, finish = '' }, locals, timed) {
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
    ${(timed && timedOperation) || operation}
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
  const tools = { M, clock, minstd, sum, acquire, release, torn, readSync: fs.readSync, writeSync: fs.writeSync };
  return new Function(...Object.keys(tools), source)(...Object.values(tools));
}

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

// Of each operation: its parameters with default, least and most; why they are refused, if they are; what its loop keeps
// in locals, made by the thread that will use it; the lines of the loop that differ. They leave the result in `r`, less
// than M. `quick` is the same work made short, for a warm-up: so the loop around it is compiled, too.
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
    make: ({ sleep_ns }) => ({
      own: new Int32Array(new SharedArrayBuffer(4)),
      ms: (Math.ceil(sleep_ns / 1000) + 0.5) / 1000, // V8 cuts fractions of a microsecond off: never shorter than asked
    }),
    operation: 'Atomics.wait(own, 0, 0, ms); const r = 1;',
  },
  pipe: {
    params: { first: [0, 0], delay_ns: [0, 0] },
    refuse: ({ dir }) => !dir && 'dir= of the FIFOs is missing',
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
    refuse({ bytes, chunk }) {
      if (chunk % 8 || bytes % chunk) return 'bytes= is no multiple of chunk=, or chunk= none of 8';
      const exact = (chunk / 8) * (bytes / 8) <= Number.MAX_SAFE_INTEGER;
      return !exact && 'sums of such a chunk= would not be exact in doubles: a smaller one';
    },
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
  lock: LOCK,
};

const WORKLOADS = ['noop', 'cpu', 'sleep', 'pipe', 'mem', 'serial', 'lock'];
const KINDS = ['chase', 'stream']; // of mem

/** Which operation a `prepare` line asks for, and its parameters. */
function taskOf(keys) {
  const [workload, kind] = [keys.text('workload'), keys.text('kind', 'chase')];
  if (!WORKLOADS.includes(workload)) throw new Failure(`workload=${workload} is not one of ${WORKLOADS}`);
  if (workload === 'mem' && !KINDS.includes(kind)) throw new Failure(`kind=${kind} is not one of ${KINDS}`);
  const operation = workload === 'mem' ? kind : workload;
  const { params: known, refuse = () => false } = OPERATIONS[operation];
  const task = { operation, params: {}, dir: keys.text('dir') };
  for (const [name, [otherwise, least, most = M - 1]] of Object.entries(known)) {
    task.params[name] = keys.number(name, otherwise, least, most);
  }
  const names = { lock: keys.text('lock'), layout: keys.text('layout', 'padded') };
  const why = refuse({ ...task.params, ...names, dir: task.dir });
  if (why) throw new Failure(why);
  if (operation === 'lock') task.layout = names.layout;
  return task;
}

module.exports = { OPERATIONS, WORKLOADS, loopOf, taskOf };
