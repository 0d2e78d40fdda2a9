import { get } from 'node:http';

// Loaded by the Node of every client that sources `.local/env` (NODE_OPTIONS): its time of day is the local Azure's, which
// the tour moves ahead. A revocation by `cmk` would otherwise seem older than a restore that the tour made before it.

const { LOCAL_AZURE_CONTROL = '' } = process.env;

/** Milliseconds that the local Azure is ahead; 0 where it does not answer. */
const aheadMs = await new Promise((resolve) => {
  const sentMs = Date.now();
  const asked = get(`${LOCAL_AZURE_CONTROL}/clock`, { timeout: 1_000 }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (text) => {
      body += text;
    });
    response.on('end', () => resolve(Math.max(0, Date.parse(JSON.parse(body).now) - sentMs)));
  });
  asked.on('timeout', () => asked.destroy());
  asked.on('error', () => resolve(0));
});

// As in movable-clock.ts, which a client's older Node cannot load.
const realNow = Date.now;
const Real = Date;
Date.now = () => realNow() + aheadMs;
globalThis.Date = new Proxy(Real, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [Real.now()] : args, newTarget),
  apply: () => new Real(Real.now()).toString(),
});
Real.prototype.constructor = globalThis.Date;
