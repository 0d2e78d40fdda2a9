import { expect, it } from 'vitest';
import type { RestoreResponse, RevokeResponse } from '../../src/break-glass/schemas.ts';
import { SharedCalls } from '../../src/break-glass/shared-calls.ts';
import { callOf } from '../../src/break-glass/to-json.ts';
import type { KeyStatus } from '../../src/views/key-schemas.ts';
import { KEY } from '../support/keys.ts';
import { person } from './break-glass-fixture.ts';

/** How often the work was done for these calls, all made at the same time. */
async function runs(
  calls: readonly { who?: string; reason?: string; ticket?: string; key?: string; confirm?: string }[],
) {
  const shared = new SharedCalls();
  let count = 0;
  const run = async (): Promise<RevokeResponse> => {
    count += 1;
    await new Promise((resolve) => setImmediate(resolve));
    return {} as RevokeResponse;
  };
  await Promise.all(
    calls.map(({ who = 'alice', reason = 'stolen', ticket, key = KEY.id, confirm = 'kv-files/files-key' }) => {
      const body = { reason, ticket, confirm };
      return shared.revoke({ ...KEY, id: key }, body, callOf(person(who), 'call-1', body), run);
    }),
  );
  return count;
}

it('a hundred identical calls of one caller are done twice: once, and once for all that came meanwhile', async () => {
  expect(await runs(Array(100).fill({}))).toBe(2);
});

it.each([
  ['person', { who: 'bob' }],
  ['reason', { reason: 'lost' }],
  ['ticket', { ticket: 'INC-1' }],
  ['key', { key: `${KEY.id}-2` }],
  ['confirmation, which has to be the right one,', { confirm: 'kv-files/archive-key' }],
])('a call with another %s is done for itself', async (_, other) => {
  expect(await runs([{}, other])).toBe(2);
  expect(await runs([{}, {}, other, other])).toBe(4);
});

it('a restore of another revocation, or by somebody else, is done for itself', async () => {
  const shared = new SharedCalls();
  let count = 0;
  const restore = (revocation: string, who: string) => {
    const body = { reason: 'found', ticket: undefined, revocation };
    return shared.restore(KEY, body, callOf(person(who), 'call-1', body), async () => {
      count += 1;
      return {} as RestoreResponse;
    });
  };
  const calls = ['rev1 alice', 'rev2 alice', 'rev1 bob'].map((call) => call.split(' ') as [string, string]);
  await Promise.all([...calls, ...calls].map((call) => restore(...call)));
  expect(count).toBe(6);
});

it('a failure is told to all who share it, and to nobody after', async () => {
  const shared = new SharedCalls();
  const failing = () => Promise.reject(new Error('no answer'));
  const calls = [1, 2, 3].map(() => shared.status(KEY, 'alice', failing));
  for (const call of calls) await expect(call).rejects.toThrow('no answer');
  const status = {} as KeyStatus;
  expect(await shared.status(KEY, 'alice', async () => status)).toBe(status);
});
