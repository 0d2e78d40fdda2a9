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

/** A key with one account, which has blobs and the given shares. */
function site(containers: Containers, shares: readonly string[] = []) {
  const key = new TestKey(wire.azure.world);
  const account = key.account('pinned', { shares: [...shares] });

  keepBlobs(account, containers);

  const services = wire.services({ CMK_PROBE_BLOBS: 'on' });
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('The vault is not managed.');

  const change = (expected: ExpectedEffect) => {
    markVersion(key.first, expected, wire.azure.clock.now());
    return probeMessage(managed, { by: 'revoke', ref: 'call-1', since: '' });
  };
  const round = async (work: ReturnType<typeof change>, outcome = /^(done|again)$/): Promise<KeyEffect | undefined> => {
    expect((await probeKey(work, services, wire.log)).outcome).toMatch(outcome);
    return services.effects.read(managed);
  };

  return { key, account, managed, services, change, round };
}

const shown = (effect: Pick<KeyEffect, 'accounts'> | undefined): string[] =>
  (effect?.accounts ?? [])
    .map(({ service, share, container, state }) => `${service} ${share ?? container ?? 'none'} ${state}`)
    .sort();

describe('the effect on an account without a file share', () => {
  it('The probe sees the effect on the blobs of an account without a file share', async () => {
    const { account, managed, services, change, round } = site({ minutes: 2 });
    expect(shown(await round(change('blocked')))).toEqual(['blob minutes blocked']);

    wire.azure.clock.advance(60_000);
    expect(shown(await round(change('open')))).toEqual(['blob minutes open']);

    const status = await readEffect(managed, undefined, services);
    expect(shown({ accounts: status.effect })).toEqual(['blob minutes open']);
    expect(account.blobContainers.get('minutes')?.blobs.size).toBe(2);
  });

  it('The probe lists blobs with metadata, which Storage documents as refused, and reads no blob', async () => {
    const { account, services, change, round } = site({ minutes: 1 });
    const since = wire.azure.requests.last;
    await round(change('blocked'));

    const calls = wire.azure.requests.since(since).filter(({ host }) => host.startsWith(`${account.name}.blob.`));
    expect(calls).toHaveLength(1);
    expect(calls[0]?.path).toMatch(/^\/minutes\?.*maxresults=1.*include=metadata/);

    // The role that lists gives no blob's content.
    change('open');
    expect(await services.dataLists.blob(account.name, 'minutes')).toBe(true);
  });

  it('The probe uses the first container that has a blob under the key of the account', async () => {
    const { change, round } = site({ a: 'scope1', b: 0, c: 1 });

    // Microsoft does not document whether a list without blobs is refused. A refused list is a proof all the same.
    expect(shown(await round(change('blocked')))).toEqual(['blob b blocked']);

    const restored = change('open');

    // The probe calls the container of the previous round first. It has no blob, which proves nothing.
    await round(restored);
    expect(shown(await round(restored))).toEqual(['blob c open']);
  });

  it('The probe uses another container if the probed one has no blob', async () => {
    const { change, round } = site({ b: 0, c: 1 });

    wire.azure.world.settings.fileServiceDelayMs = 12_000;
    change('blocked');
    wire.azure.clock.advance(15_000);

    const work = change('open');
    expect(shown(await round(work))).toEqual(['blob b blocked']);

    wire.azure.clock.advance(15_000);

    const second = await round(work);
    expect(shown(second)).toEqual(['blob none unknown']);
    expect(second?.complete).toBe(false);

    const third = await round(work);
    expect(shown(third)).toEqual(['blob c open']);
    expect(third?.complete).toBe(true);
  });

  it.each<[sentence: string, containers: Containers, kind: string, shown: string]>([
    ['has no container', {}, 'StorageV2', 'file none unknown'],
    ['has its blobs under scopes alone', { a: 'scope1' }, 'StorageV2', 'file none unknown'],
    ['has no blob', { a: 0 }, 'StorageV2', 'blob none unknown'],
  ])(
    'The effect is unknown, and the probe does not wait for it, if the account %s',
    async (_, containers, kind, expected) => {
      const { account, change, round } = site(containers);
      account.kind = kind;
      change('blocked');

      const effect = await round(change('open'));
      expect(shown(effect)).toEqual([expected]);
      expect(effect?.complete).toBe(true);
    },
  );

  it('The effect is unknown without the role that lists blobs, which the probe names', async () => {
    const { change, round } = site({ minutes: 1 });
    const { roleAssignments } = wire.azure.world;
    const listers = [...roleAssignments].filter(([, { condition }]) => condition?.includes('Blob.List'));

    for (const [id] of listers) roleAssignments.delete(id);

    const effect = await round(change('blocked'), /again/);

    for (const [id, lister] of listers) roleAssignments.set(id, lister);

    const why = expect.stringContaining('blob lister');
    expect(effect?.accounts).toMatchObject([{ service: 'blob', state: 'unknown', why }]);
  });

  it('The effect on blobs decides whether a canary without a file share serves data', async () => {
    const { account, services, change } = site({ minutes: 1 });
    const ask = createCanaryProbe(services);
    expect(await ask([account.id], '', wire.log)).toBe('proven');

    change('blocked');
    expect(await ask([account.id], '', wire.log)).toEqual({ failing: expect.stringContaining(account.name) });
  });
});

describe('the effect on an account with file shares and blobs', () => {
  it('The probe sees the effect on a share alone if the account has shares and blobs', async () => {
    const { account, change, round } = site({ minutes: 1 }, ['share1']);
    const since = wire.azure.requests.last;

    expect(shown(await round(change('blocked')))).toEqual(['file share1 blocked']);

    const ofBlobs = wire.azure.requests
      .since(since)
      .filter(({ host, path }) => host.startsWith(`${account.name}.blob.`) || path.includes('/blobServices/'));
    expect(ofBlobs).toEqual([]);
  });

  it('The probe ends after ten minutes without the role that lists files, which it names, and without an error', async () => {
    const { change, round } = site({ minutes: 1 }, ['share1']);
    const { roleAssignments } = wire.azure.world;
    const readers = [...roleAssignments].filter(([, { roleDefinitionId }]) => roleDefinitionId.endsWith(FILE_READER));

    expect(readers.length).toBeGreaterThan(0);

    for (const [id] of readers) roleAssignments.delete(id);

    const work = change('blocked');
    // The role may not have propagated yet.
    expect(shown(await round(work, /again/))).toEqual(['file share1 unknown']);

    wire.azure.clock.advance(10 * 60_000);
    await round(work, /done/);

    for (const [id, reader] of readers) roleAssignments.set(id, reader);

    expect(wire.records.filter(({ level }) => level === 'error')).toEqual([]);

    expect(wire.records.at(-1)).toMatchObject({
      reason: 'EffectNotSeen',
      pending: 0,
      silent: 1,
      message: expect.stringMatching(/^0 of 1 accounts were seen blocked.*Storage File Data Privileged Reader/),
    });
  });
});
