import { ServerResponse } from 'node:http';
import { answer } from '../ipc.ts';

/**
 * Loaded before a child's own module (`node --import`): its time of day follows the clock of the local Azure, which the
 * parent sends. Only `Date` and the `Date` header of answers move. Timers and `performance` run on, as they do when a
 * machine's clock is set.
 */
let offsetMs = Number(process.env.LOCAL_CLOCK_OFFSET_MS ?? 0);

const realNow = Date.now;
Date.now = () => realNow() + offsetMs;
const Real = Date;
globalThis.Date = new Proxy(Real, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [Real.now()] : args, newTarget),
  apply: () => new Real(Real.now()).toString(),
});
Real.prototype.constructor = globalThis.Date;

// Azurite sets no `Date` on errors, and Node adds the machine's time. The app's clock follows its storage, so it would
// go back.
const { writeHead } = ServerResponse.prototype;
ServerResponse.prototype.writeHead = function (this: ServerResponse, ...args: Parameters<typeof writeHead>) {
  if (!this.hasHeader('date')) this.setHeader('date', new Date().toUTCString());
  return writeHead.apply(this, args);
} as typeof writeHead;

answer(process, (question) => {
  const { clockOffsetMs } = (question ?? {}) as { clockOffsetMs?: unknown };
  if (typeof clockOffsetMs === 'number') offsetMs = clockOffsetMs;
  return offsetMs;
});
// The channel alone must not keep an idle child alive.
process.channel?.unref();
