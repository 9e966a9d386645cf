'use strict';

/** N workers at once, a thread each: made, warmed, told what to do, ended. */

const { MessageChannel, Worker, receiveMessageOnPort } = require('worker_threads');

const { Failure } = require('./protocol.js');
const { Board, bytesFor } = require('./lock.js');
const { reset, unpark, wordsFor } = require('./shared.js');
const { EPOCH_S, cpus } = require('./system.js');
const { OPERATIONS } = require('./workloads.js');

const WARM_NS = 1000000; // one interval of a warm-up run
const WARM_RUNS = 10; // at least, and where operations can't be made short
const WARM_RUNS_MAX = 50; // at most, until each worker has done
const WARM_TURNS = 20000; // of its loop: enough for the optimising compiler

/** N threads, parked in Atomics.wait on a word each. */
class Cell {
  constructor(n, task) {
    Object.assign(this, { n, task });
    this.words = wordsFor(n);
    this.common = new Map(); // by slot, what the workers recorded together
    if (task.operation === 'lock') {
      const of = { ...task.params, layout: task.layout };
      task.shared = new SharedArrayBuffer(bytesFor(of));
      this.board = new Board(task.shared, of);
      this.board.open(true, 0); // for the warm-up
    }
    this.threads = [];
    this.ports = [];
    this.done = () => {}; // called when all that were told have parked, or one has failed or died
    this.ran = false;
    for (let w = 0; w < n; w++) this.addThread(w);
  }

  addThread(w) {
    const { port1, port2 } = new MessageChannel();
    const data = { w, words: this.words, port: port2, task: this.task, epochS: EPOCH_S };
    const thread = new Worker(require.resolve('./lane.js'), { workerData: data, transferList: [port2] });
    thread.on('message', (failed) => (failed ? this.fail(new Failure(failed.message, failed.kind)) : this.done()));
    thread.on('error', (error) => this.fail(Failure.of(error)));
    thread.on('exit', (code) => this.fail(new Failure(`the thread of worker ${w} ended with status ${code}`, 'internal')));
    this.threads.push(thread);
    this.ports.push(port1);
  }

  fail(failure) {
    this.failure = this.failure || failure; // the first one: others follow from it
    this.done();
  }

  /** Gives an order to some workers and waits, in the event loop, until all have parked again; their answers. */
  async tell(from, to, verb, order = {}) {
    const { words, ports } = this;
    reset(words, to - from);
    const parked = new Promise((resolve) => (this.done = resolve));
    for (let w = from; w < to; w++) {
      ports[w].postMessage({ ...order, verb, parties: to - from });
      unpark(words, w);
    }
    if (!this.failure) await parked;
    if (this.failure) throw this.failure;
    return ports.slice(from, to).map((port) => (receiveMessageOnPort(port) || {}).message);
  }

  tellAll(verb, order) {
    return this.tell(0, this.n, verb, order);
  }

  /** Runs both loops of all workers until they are compiled; how long an operation of worker 0 takes alone, in ns. */
  async warm() {
    const { quick } = OPERATIONS[this.task.operation];
    const intervalNs = WARM_NS * Math.max(1, Math.ceil(this.n / cpus));
    for (const timed of [true, false]) {
      const turns = new Float64Array(this.n);
      const few = () => quick && turns.some((of) => of < WARM_TURNS);
      for (let k = 0; k < WARM_RUNS || (k < WARM_RUNS_MAX && few()); k++) {
        const runs = await this.tellAll('warm', { timed, quick, intervalNs });
        runs.forEach((run, w) => (turns[w] += run.turns));
      }
      await this.tellAll('warm', { timed, intervalNs });
    }
    const [{ opNs }] = await this.tell(0, 1, 'warm', { timed: false, intervalNs });
    return Math.max(1, Math.round(opNs));
  }

  /** One slot. The record is made by an order of its own: where memory runs out, nobody has begun to wait for others. */
  async run(plan, slot, startNs, spinNs) {
    const crowded = this.n > cpus; // then none spins: they would only keep each other from starting
    const release = { plan, slot, startNs, spinNs: crowded ? 0 : spinNs, crowded };
    await this.tellAll('arm', release);
    if (this.board) this.board.open(plan.timed, startNs + plan.ramp_ns);
    await this.tellAll('run', release);
    if (this.board) this.common.set(slot, this.board.close());
  }

  /** Stops threads wherever they are: parked, or waiting for one that died. */
  close() {
    return Promise.all(this.threads.map((thread) => thread.terminate()));
  }
}

module.exports = { Cell, WARM_NS };
