'use strict';

/** One worker, and the body of the thread that runs it: obeys orders, parked in between. */

const { isMainThread, parentPort, receiveMessageOnPort, workerData } = require('worker_threads');

const { Failure, M } = require('./protocol.js');
const { Take } = require('./recorder.js');
const { Rounds, lastDone, park } = require('./shared.js');
const { Figures, clock, threadId } = require('./system.js');
const { OPERATIONS, loopOf } = require('./workloads.js');

const WARM_SPIN_NS = 100000;
const SPIN_NS = 20000000; // of waiting for another worker, before the CPU is given up
const SPIN_CROWDED_NS = 20000; // the same with more workers than CPUs

/** Made, and ordered about, on its own thread. */
class Lane {
  constructor(w, words, { operation, params, dir, layout, shared }) {
    Object.assign(this, { w, params: { ...params, dir, layout }, shared, operation: OPERATIONS[operation] });
    this.inParts = Boolean(this.operation.inParts); // whether it times parts of itself
    this.rounds = new Rounds(words);
    this.takes = new Map(); // by slot
    this.own = new Int32Array(new SharedArrayBuffer(4)); // nobody else's: to sleep on
  }

  /** Opens what the loop needs; the carrier's thread id. */
  open() {
    this.figures = new Figures();
    this.job = this.operation.make(this.params, this);
    this.loops = [false, true].map((timed) => loopOf(this.operation, Object.keys(this.job), timed));
    return threadId();
  }

  /** Runs a loop for a moment, crossings, ends and report included; turns of the loop, ns an operation. */
  warm({ timed, quick, parties, intervalNs }) {
    const startNs = clock() + 2 * WARM_SPIN_NS;
    const plan = { ramp_ns: intervalNs, window_ns: intervalNs, windows: 1, tail_ns: 0, timed, spans: 64 };
    const take = new Take(plan, this.figures, startNs, 1, this.inParts);
    take.check = M - 1; // the first operation brings it round
    this.awaitStart(take, startNs, WARM_SPIN_NS);
    // Quick ones give the CPU up at once, so that the code for that is warm, too.
    this.work(take, parties, quick ? 0 : SPIN_NS, quick);
    take.report({ w: this.w });
    const [[entered], [ended, turns]] = [take.row(0), take.last()];
    return { turns, opNs: (ended - entered) / (turns * take.batch || 1) };
  }

  forget() {
    this.takes.clear();
  }

  /** Allocates the record of a slot, before its start. */
  arm({ plan, slot, startNs, parties }) {
    this.takes.set(slot, new Take(plan, this.figures, startNs, parties, this.inParts));
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
}

/** Never comes back to the thread's event loop. */
function serve({ w, words, port, task }) {
  const lane = new Lane(w, words, task);
  for (let seen = 0; ; seen++) {
    park(words, w, seen);
    const order = receiveMessageOnPort(port).message;
    try {
      const value = lane[order.verb](order);
      if (value !== undefined) port.postMessage(value); // a message wakes the main thread: none after a run
    } catch (error) {
      const { message, kind } = Failure.of(error);
      parentPort.postMessage({ message, kind }); // at once: others may wait for this one
    }
    if (lastDone(words)) parentPort.postMessage(0); // the opener wakes once, when all are done
  }
}

if (!isMainThread) serve(workerData);

module.exports = { Lane };
