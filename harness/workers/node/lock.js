'use strict';

/** The workload `lock`: what the workers of a cell share, its lock, and the lines of the loop. */

const { Failure, line } = require('./protocol.js');

const LOCKS = ['atomics'];
const LAYOUTS = { padded: 16, packed: 4 }; // doubles from a lock to the next
const OWNERS = 4096; // acquisitions of the first lock that are kept
const [FILL, BEGIN, ROOM, LOG] = [0, 1, 2, 16]; // doubles; of the log each four: worker, requested, acquired, released
const SLOTS = LOG + 4 * OWNERS; // each with its word, the number it guards, when its last owner began to release it

const bytesFor = ({ locks, layout }) => 8 * (SLOTS + locks * LAYOUTS[layout] + 16);

/** 0 free, 1 taken, 2 taken and perhaps waited for: the mutex 2 of U. Drepper, "Futexes are tricky" (2011). */
function acquire(words, at) {
  let was = Atomics.compareExchange(words, at, 0, 1);
  if (was === 0) return;
  if (was !== 2) was = Atomics.exchange(words, at, 2);
  while (was !== 0) {
    Atomics.wait(words, at, 2);
    was = Atomics.exchange(words, at, 2);
  }
}

function release(words, at) {
  if (Atomics.sub(words, at, 1) === 1) return;
  Atomics.store(words, at, 0);
  Atomics.notify(words, at, 1);
}

function torn() {
  throw new Failure('a reader saw the counter change while it had the lock: it does not exclude writers', 'checksum');
}

// The counter is loaded and stored, with the steps between: two that are inside at once lose an addition.
const OUTSIDE = `let r = minstd(1 + (turns & 63), apart);
    if (locks > 1) {
      pick = (pick * 48271) % M;
      k = pick % locks;
    }
    const at = ${SLOTS} + k * stride;
    const reads = (turns * 617) % 1000 < readers;
    let same = true;`;
const INSIDE = `const count = cells[at + 1];
    r = minstd(r, locked);
    if (reads) same = cells[at + 1] === count;
    else cells[at + 1] = count + 1;`;
const OPERATION = `${OUTSIDE}
    acquire(words, 2 * at);
    ${INSIDE}
    release(words, 2 * at);
    if (!same) torn();`;
const TIMED = `${OUTSIDE}
    const asked = clock();
    acquire(words, 2 * at);
    const got = clock();
    const free = cells[at + 2];
    ${INSIDE}
    const gone = clock();
    cells[at + 2] = gone;
    if (k === 0 && got >= cells[${BEGIN}] && cells[${FILL}] < cells[${ROOM}]) {
      const entry = ${LOG} + 4 * cells[${FILL}];
      cells[entry] = w;
      cells[entry + 1] = asked;
      cells[entry + 2] = got;
      cells[entry + 3] = gone;
      cells[${FILL}] += 1;
    }
    release(words, 2 * at);
    if (!same) torn();
    take.acquired(reads, asked, got, gone, free);`;

const LOCK = {
  params: { steps: [1000, 0], permille: [250, 0, 1000], readers: [0, 0, 1000], locks: [1, 1, 65536] },
  refuse({ lock, layout }) {
    if (!LOCKS.includes(lock)) return `lock=${lock} is not one of ${LOCKS}`;
    return !(layout in LAYOUTS) && `layout=${layout} is not one of ${Object.keys(LAYOUTS)}`;
  },
  make({ steps, permille, readers, locks, layout }, { w, shared }) {
    const held = Math.floor((steps * permille) / 1000);
    const [words, cells] = [new Int32Array(shared), new Float64Array(shared)];
    return { words, cells, w, apart: steps - held, locked: held, readers, locks, stride: LAYOUTS[layout], first: 1 + w };
  },
  quick: { apart: 64, locked: 64 },
  setup: 'let pick = first, k = 0;',
  operation: OPERATION,
  timed: TIMED,
  inParts: true,
};

/** What the workers of a cell record together in a release, seen from the main thread while they are parked. */
class Board {
  constructor(shared, { locks, layout }) {
    this.cells = new Float64Array(shared);
    this.counts = Array.from({ length: locks }, (_, k) => SLOTS + k * LAYOUTS[layout] + 1);
  }

  sum() {
    return this.counts.reduce((sum, at) => sum + this.cells[at], 0);
  }

  open(timed, beginNs) {
    this.before = this.sum();
    this.cells[FILL] = 0;
    this.cells[BEGIN] = beginNs;
    this.cells[ROOM] = timed ? OWNERS : 0;
  }

  /** The lines of the release that is over, for those who know its key. */
  close() {
    const count = this.sum() - this.before;
    const rows = [];
    let last = this.cells[BEGIN];
    for (let k = 0; k < this.cells[FILL]; k++) {
      const [w, asked, got, gone] = this.cells.subarray(LOG + 4 * k, LOG + 4 * k + 4);
      rows.push([w, got - last, got - asked, gone - got]);
      last = got;
    }
    const [w, gap, wait, hold] = [0, 1, 2, 3].map((field) => rows.map((row) => row[field]).join());
    return (key) => line('guard', { ...key, count }) + (rows.length ? line('owners', { ...key, w, gap, wait, hold }) : '');
  }
}

module.exports = { Board, LOCK, LOCKS, acquire, bytesFor, release, torn };
