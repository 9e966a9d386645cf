'use strict';

/** What is asked of Linux: the clock, CPUs, and what the kernel says of a thread. */

const fs = require('fs');
const os = require('os');
const { isMainThread, workerData } = require('worker_threads');

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
const relative = (ns) => Number(BigInt(ns) - EPOCH_NS);

const cpus = (os.availableParallelism || (() => os.cpus().length))(); // asked before anybody is pinned

/** The kernel's number of the calling thread. */
const threadId = () => Number(fs.readlinkSync('/proc/thread-self').split('/')[2]);

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

module.exports = { EPOCH_S, Figures, absolute, clock, cpus, relative, threadId };
