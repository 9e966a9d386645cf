'use strict';

/** The words that the threads of a cell share: to park on, to meet at a barrier, to take turns at a lock. */

const { clock } = require('./system.js');

// 128 bytes apart, as cache lines are fetched in pairs; from GATES on, one for each worker.
const [BUSY, ARRIVED, ROUND, STOP, TICKETS, SERVING, GATES] = [0, 32, 64, 96, 128, 160, 192];
const OVER = ROUND + 1;

const gate = (w) => GATES + 32 * w;
const wordsFor = (workers) => new Int32Array(new SharedArrayBuffer(4 * gate(workers)));

/** Uses no CPU until the gate of worker `w` is opened for the next time after `seen` times. */
function park(words, w, seen) {
  while (Atomics.load(words, gate(w)) === seen) Atomics.wait(words, gate(w), seen);
}

function unpark(words, w) {
  Atomics.add(words, gate(w), 1);
  Atomics.notify(words, gate(w));
}

/** Before `parties` workers are told what to do. */
function reset(words, parties) {
  Atomics.store(words, BUSY, parties);
  for (const at of [STOP, OVER]) Atomics.store(words, at, 0);
}

/** Whether the caller was the last of those told. */
const lastDone = (words) => Atomics.sub(words, BUSY, 1) === 1;

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

/** Where the workers of a `serial` cell meet: a barrier and a ticket lock. */
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

  /** Asks to stop, and goes through the barrier behind which all do. */
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

module.exports = { Rounds, lastDone, park, reset, unpark, wordsFor };
