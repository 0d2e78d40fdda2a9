import { afterEach, describe, expect, it } from 'vitest';
import { keyStatus } from '../../src/break-glass/key-status.ts';
import type { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { keyOf, managed } from './break-glass-fixture.ts';

const wire = useWire();
const ARM = 'management.azure.com';
/** The longest that a person waits, in milliseconds; the answer's own limit and some for a busy machine. */
const PATIENCE_MS = 10_000;

afterEach(() => wire.azure.faults.clear());

async function status(key: TestKey) {
  const services = wire.services();
  const started = Date.now();
  const answer = await keyStatus(managed(key, services), services);
  expect(Date.now() - started, 'milliseconds to the answer').toBeLessThan(PATIENCE_MS);
  return answer;
}

describe('the status of a key, where Azure Resource Manager never answers', () => {
  it('shows the versions, and names everything that was not read in time', async () => {
    const key = keyOf(wire.azure, 2);
    key.account('pinned', { shares: ['share1'] });
    wire.azure.faults.add([{ match: { host: ARM }, hang: true }]);
    const { versions, dependents, effect, warnings } = await status(key);
    expect(versions).toHaveLength(2);
    expect(dependents).toMatchObject({ complete: false, accounts: [] });
    expect(dependents.unread.map(({ what, reason }) => `${what}: ${reason}`).sort()).toEqual([
      'other resource types: TimeUp',
      'storage accounts: TimeUp',
    ]);
    // No account is known, so that no file service could be asked.
    expect(effect).toEqual([]);
    expect(warnings.join('\n')).toMatch(/Not every account .* could be found/);
  });

  it('about some accounts: shows the others, and names each that was not read in time, begun or not', async () => {
    const key = keyOf(wire.azure, 1);
    // More than are read at the same time.
    const silent = Array.from({ length: 6 }, () => key.account('pinned', { shares: ['share1'] }));
    const other = key.account('pinned', { shares: ['share2'] });
    const path = `/(${silent.map(({ name }) => name).join('|')})/(fileServices|encryptionScopes)`;
    wire.azure.faults.add([{ match: { host: ARM, path }, hang: true }]);
    const { dependents } = await status(key);
    expect(dependents.complete).toBe(false);
    expect(dependents.accounts.map(({ name }) => name).sort()).toEqual(
      [...silent, other].map(({ name }) => name).sort(),
    );
    expect(dependents.unread.map(({ what, reason }) => `${what}: ${reason}`)).toEqual(
      expect.arrayContaining(
        silent.flatMap(({ id }) => [`encryption scopes of ${id}: TimeUp`, `file shares of ${id}: TimeUp`]),
      ),
    );
    expect(dependents.unread.map(({ what }) => what)).not.toContain('storage accounts');
  });
});
