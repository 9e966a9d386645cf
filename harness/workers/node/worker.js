'use strict';

/**
 * Worker of the harness in JavaScript: worker_threads of Node.js 16 and later, built-in modules.
 *
 * Speaks PROTOCOL.md version 1 on stdin and stdout. Here is the session, from `hello` to `quit`, on the main
 * thread. What never will live here: pinning, counters, statistics (all the harness's). README.md says what is
 * in the files beside this one, and how each choice touches fairness.
 */

const { Cell, WARM_NS } = require('./cell.js');
const { Lane } = require('./lane.js');
const { LOCKS } = require('./lock.js');
const { Failure, Keys, line, linesOf } = require('./protocol.js');
const { planOf } = require('./recorder.js');
const { wordsFor } = require('./shared.js');
const { absolute, clock } = require('./system.js');
const { WORKLOADS, taskOf } = require('./workloads.js');

const FEATURES = ['alternate', 'spans'];
const VERBS = ['hello', 'ping', 'prepare', 'go', 'collect'];
const LEAD_NS = 20000000; // to wake, and to allocate and touch the record
const WORKERS_MAX = 4096;

/** What timing one operation adds: the latency loop around nothing less the bare loop, least of ten. */
function timerCostPs() {
  const lane = new Lane(0, wordsFor(1), { operation: 'noop', params: { batch: 1000 } });
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
      if (!VERBS.includes(verb)) throw new Failure(`verb ${verb} is not known here`);
      return await this[verb](keys);
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
      locks: LOCKS.join(),
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
      const { readers, locks, ...chosen } = task.params; // those two are given, or as usual
      const carriers = await cell.tellAll('open');
      const op_ns = await cell.warm();
      const map = carriers.map((tid, w) => `${w}:${tid}`).join();
      const setup_ns = Math.round(clock() - began);
      return line('ready', { id, carriers: carriers.join(), map, setup_ns, op_ns, ...chosen });
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
    const plan = planOf(keys);
    const [start, spin] = [keys.moment('start_ns'), keys.number('spin_ns', 0)];
    const slotNs = plan.ramp_ns + plan.windows * plan.window_ns + plan.tail_ns + keys.number('gap_ns', 0);
    const order = keys.text('order', '0');
    if (!order || !(start + slotNs * order.length < 2 ** 53)) {
      throw new Failure('order= is empty, or the end beyond what a double holds exactly');
    }
    const slots = [...order].map((c) => (/\d/.test(c) ? this.cells.get(ids[Number(c)]) : undefined));
    if (slots.includes(undefined)) throw new Failure(`order=${order} names a cell that ids= does not`);
    try {
      for (const id of ids) {
        await this.cells.get(id).tellAll('forget');
        this.cells.get(id).common.clear();
      }
      for (const [slot, cell] of slots.entries()) await cell.run(plan, slot, start + slot * slotNs, spin);
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
      out += (await cell.tellAll('report', { id, withSlot: cell.withSlot })).join('');
      for (const [slot, said] of cell.common) out += said({ id, slot: cell.withSlot ? slot : undefined });
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

main();
