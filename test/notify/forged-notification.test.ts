import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { deliver } from '../../src/notify/deliver.ts';
import { readNotify } from '../../src/settings/notify.ts';
import { parseNotifyWork } from '../../src/work/messages.ts';
import { MemoryLeases } from '../support/memory-leases.ts';
import { CMK_NOTIFY, TARGETS } from './targets.ts';

const AT = '2026-06-01T12:00:00.000Z';
const text = fc.oneof(fc.string({ minLength: 1, maxLength: 40 }), fc.constant('https://elsewhere.example/'));
const notification = fc.record({
  id: fc.constantFrom('0'.repeat(32), '1'.repeat(32)),
  kind: fc.constantFrom('revoked', 'restored', 'digest', 'test'),
  time: fc.constant(AT),
  subject: text,
  severity: fc.constantFrom('info', 'warning', 'error'),
  title: text,
  text,
  data: fc.dictionary(fc.string({ maxLength: 5 }), text, { maxKeys: 2 }),
});
const message = fc.record({
  kind: fc.constant('notify'),
  target: fc.oneof(fc.constantFrom(...TARGETS.map(({ name }) => name)), text),
  notification,
  cause: fc.constant({ by: 'event', ref: '', since: AT }),
  attempt: fc.nat({ max: 5 }),
});

it('a message of notify-work, whatever it says, is sent to the addresses of the settings alone', async () => {
  const addresses: readonly string[] = TARGETS.map(({ address }) => address);
  const settings = { notify: readNotify({ CMK_NOTIFY }), drift: { functionAppId: undefined } };
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(message, async (forged) => {
      const asked: string[] = [];
      const postWebhook = async (address: string) => {
        asked.push(address);
        return { status: 200 };
      };
      const now = () => new Date(AT);
      const ports = { settings, leases: new MemoryLeases(now), postWebhook, random: () => 0, now };
      await deliver(parseNotifyWork(JSON.parse(JSON.stringify(forged))), ports, () => {});
      expect(asked.filter((address) => !addresses.includes(address))).toEqual([]);
      sent += asked.length;
    }),
    { numRuns: 200 },
  );
  expect(sent).toBeGreaterThan(0);
});
