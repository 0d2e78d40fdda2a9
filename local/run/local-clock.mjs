import { get } from 'node:http';

// NODE_OPTIONS in `.local/env` loads this in every Node client: its time of day is that of the local Azure, which the
// tour moves ahead. Otherwise a revocation by `cmk` would seem older than an earlier restore of the tour.

const { LOCAL_AZURE_CONTROL = '' } = process.env;

/** Milliseconds that the local Azure is ahead; 0 if it does not answer. */
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

// As in movable-clock.ts, which an older Node of a client cannot load.
const realNow = Date.now;
const Real = Date;
Date.now = () => realNow() + aheadMs;
globalThis.Date = new Proxy(Real, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [Real.now()] : args, newTarget),
  apply: () => new Real(Real.now()).toString(),
});
Real.prototype.constructor = globalThis.Date;
