import { describe, expect, it } from 'vitest';
import type { StorageAccount } from '../../local/azure/world.ts';
import type { ExpectedEffect, KeyEffect } from '../../src/probe/effect.ts';
import { readEffect } from '../../src/probe/effect-of-key.ts';
import { createCanaryProbe } from '../../src/probe/probe-targets.ts';
import { probeKey } from '../../src/probe/probe-work.ts';
import { TestKey } from '../support/fleet.ts';
import { markVersion, probeMessage } from '../support/probe-message.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

/** Storage File Data Privileged Reader. */
const FILE_READER = 'b8eda974-7b85-4f76-af95-65846b26df6d';

/** Containers of an account by name: a number of blobs, or the encryption scope that its blobs are under. */
type Containers = Readonly<Record<string, number | string>>;

function keepBlobs(account: StorageAccount, containers: Containers): void {
  account.blobContainers.clear();
  for (const [name, of] of Object.entries(containers)) {
    const names = Array.from({ length: typeof of === 'number' ? of : 1 }, (_, n) => `minutes-${n}.txt`);
    const blobs = new Map(names.map((one) => [one, { content: Buffer.from('minutes'), scope: undefined }]));
    const defaultEncryptionScope = typeof of === 'string' ? of : undefined;
    account.blobContainers.set(name, { name, defaultEncryptionScope, blobs });
  }
}

function site(containers: Containers, settings: Readonly<Record<string, string>> = { CMK_PROBE_BLOBS: 'on' }) {
  const key = new TestKey(wire.azure.world);
  const account = key.account('pinned', { shares: ['share1'] });

  keepBlobs(account, containers);

  const services = wire.services(settings);
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('The vault is not managed.');

  const change = (expected: ExpectedEffect) => {
    markVersion(key.first, expected, wire.azure.clock.now());
    return probeMessage(managed, { by: 'revoke', ref: 'call-1', since: '' });
  };
  const round = async (work: ReturnType<typeof change>): Promise<KeyEffect | undefined> => {
    expect(await probeKey(work, services, wire.log)).toEqual({ outcome: 'done' });
    return services.effects.read(managed);
  };

  return { key, account, managed, services, change, round };
}

const shown = (effect: Pick<KeyEffect, 'accounts'> | undefined): string[] =>
  (effect?.accounts ?? [])
    .map(({ service, share, container, state }) => `${service} ${share ?? container ?? 'none'} ${state}`)
    .sort();

describe('the blob services of accounts', () => {
  it('are followed beside their file services, with times of their own', async () => {
    const { account, managed, services, change, round } = site({ minutes: 2 });
    expect(shown(await round(change('blocked')))).toEqual(['blob minutes blocked', 'file share1 blocked']);

    wire.azure.clock.advance(60_000);

    const effect = await round(change('open'));
    expect(shown(effect)).toEqual(['blob minutes open', 'file share1 open']);

    expect(wire.sent).toEqual([]);

    // And the status of the key shows what is on record.
    const status = await readEffect(managed, undefined, services);
    expect(shown({ accounts: status.effect })).toEqual(['blob minutes open', 'file share1 open']);
    expect(account.blobContainers.get('minutes')?.blobs.size).toBe(2);
  });

  it('are asked by a list with metadata, which is what Storage documents as refused, and nothing is read', async () => {
    const { account, services, change, round } = site({ minutes: 1 });
    const since = wire.azure.requests.last;
    await round(change('blocked'));
    const asked = wire.azure.requests.since(since).filter(({ host }) => host.startsWith(`${account.name}.blob.`));
    expect(asked).toHaveLength(1);
    expect(asked[0]?.path).toMatch(/^\/minutes\?.*maxresults=1.*include=metadata/);
    // The role that lists gives no blob's content.
    change('open');
    expect(await services.dataLists.blob(account.name, 'minutes')).toBe(true);
  });

  it('are seen by the first container that has a blob under the key of the account', async () => {
    const { change, round } = site({ a: 'scope1', b: 0, c: 1 });
    // Whether a list of nothing is refused, Microsoft does not say: what is refused is proof all the same.
    expect(shown(await round(change('blocked')))).toEqual(['blob b blocked', 'file share1 blocked']);
    const restored = change('open');
    // The container of the round before is asked first: it has no blob, which proves nothing.
    await round(restored);
    expect(shown(await round(restored))).toEqual(['blob c open', 'file share1 open']);
  });

  it('are looked for anew where the container that was asked has no blob', async () => {
    const { change, round } = site({ b: 0, c: 1 });

    wire.azure.world.settings.fileServiceDelayMs = 12_000;
    change('blocked');
    wire.azure.clock.advance(15_000);

    const work = change('open');
    expect(shown(await round(work))).toEqual(['blob b blocked', 'file share1 blocked']);

    wire.azure.clock.advance(15_000);

    const second = await round(work);
    expect(shown(second)).toEqual(['blob none unknown', 'file share1 open']);
    expect(second?.complete).toBe(false);

    const third = await round(work);
    expect(shown(third)).toEqual(['blob c open', 'file share1 open']);
    expect(third?.complete).toBe(true);
  });

  it.each<[sentence: string, containers: Containers, kind: string, blobs: string[]]>([
    ['has no container', {}, 'StorageV2', []],
    ['has its blobs under scopes alone', { a: 'scope1' }, 'StorageV2', []],
    ['takes no blobs', {}, 'FileStorage', []],
    ['has no blob', { a: 0 }, 'StorageV2', ['blob none unknown']],
  ])('are not waited for where an account %s', async (_, containers, kind, blobs) => {
    const { account, change, round } = site(containers);
    account.kind = kind;
    change('blocked');
    const effect = await round(change('open'));
    expect(shown(effect)).toEqual([...blobs, 'file share1 open']);
    expect(effect?.complete).toBe(true);
    expect(wire.sent).toEqual([]);
  });

  it('are not told without the role that lists blobs, which is named', async () => {
    const { change, round } = site({ minutes: 1 });
    const { roleAssignments } = wire.azure.world;
    const listers = [...roleAssignments].filter(([, { condition }]) => condition?.includes('Blob.List'));
    for (const [id] of listers) roleAssignments.delete(id);
    const effect = await round(change('blocked'));
    for (const [id, lister] of listers) roleAssignments.set(id, lister);
    const why = expect.stringContaining('blob lister');
    expect(effect?.accounts.find(({ service }) => service === 'blob')).toMatchObject({ state: 'unknown', why });
    expect(wire.sent).toHaveLength(1);
  });

  it.each([
    [
      'blobs alone',
      'EffectSeen',
      { CMK_PROBE_BLOBS: 'on' },
      ['blob minutes blocked'],
      /^1 of 2 accounts were seen blocked/,
    ],
    ['neither', 'EffectNotSeen', {}, [], /^0 of 1 accounts were seen blocked/],
  ] as const)(
    'and files, where the app has the role for %s, are told after ten minutes, and without an error',
    async (_, reason, settings, blobs, message) => {
      const { change, round } = site({ minutes: 1 }, settings);
      const { roleAssignments } = wire.azure.world;
      const readers = [...roleAssignments].filter(([, { roleDefinitionId }]) => roleDefinitionId.endsWith(FILE_READER));

      expect(readers.length).toBeGreaterThan(0);

      for (const [id] of readers) roleAssignments.delete(id);

      const work = change('blocked');
      expect(shown(await round(work))).toEqual([...blobs, 'file share1 unknown']);
      expect(wire.sent.splice(0)).toHaveLength(1); // it may have been given just now

      wire.azure.clock.advance(10 * 60_000);
      await round(work);
      for (const [id, reader] of readers) roleAssignments.set(id, reader);

      expect(wire.sent).toEqual([]);
      expect(wire.records.filter(({ level }) => level === 'error')).toEqual([]);

      expect(wire.records.at(-1)).toMatchObject({
        reason,
        pending: 0,
        silent: 1,
        message: expect.stringMatching(message),
      });

      expect(wire.records.at(-1)?.message).toContain('Storage File Data Privileged Reader');
    },
  );

  it('count when canaries are asked whether they serve', async () => {
    const { account, services, change } = site({ minutes: 1 });
    account.fileShares.clear();
    const ask = createCanaryProbe(services);
    expect(await ask([account.id], '', wire.log)).toBe('proven');
    change('blocked');
    expect(await ask([account.id], '', wire.log)).toEqual({ unwell: expect.stringContaining(account.name) });
  });
});
