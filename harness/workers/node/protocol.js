'use strict';

/** The lines of PROTOCOL.md: how they are taken apart, checked and written. */

const { relative } = require('./system.js');

const M = 2147483647; // checks are sums modulo this
const LINE_BYTES_MAX = 1 << 20;

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
    if (/^\d{1,19}$/.test(text)) return relative(text);
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

module.exports = { Failure, Keys, M, line, linesOf };
