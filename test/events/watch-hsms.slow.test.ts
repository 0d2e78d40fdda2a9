import { describe, expect, it } from 'vitest';
import { type WatchPorts, watchHsms } from '../../src/events/watch-hsms.ts';
import { createSeenKeys } from '../../src/index/fleet-index.ts';
import { keptLog, SAMPLE_SETTINGS, sampleServices } from '../support/app-services.ts';
import { TestKey } from '../support/fleet.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';

const local = useLocalAzure({ fleet: 'sample' });
const HSM = SAMPLE_SETTINGS.CMK_VAULTS?.split(' ')[0]?.replace('vaults/kv-files', 'managedHSMs/hsm-local') ?? '';
const DAY_MS = 24 * 3_600_000;

function watching(ports: Partial<WatchPorts> = {}, vaults = HSM) {
  const { settings, keys, keyCatalog } = sampleServices({ CMK_VAULTS: vaults });
  const table = new MemoryFleetTable();
  const sent: string[] = [];
  const { log, records } = keptLog();

  const all: WatchPorts = {
    settings,
    keys,
    keyCatalog,
    seenKeys: createSeenKeys(table.port()),
    requestKey: async (key) => {
      sent.push(key);
    },
    now: () => local.azure.clock.now(),
    ...ports,
  };

  return {
    sent,
    records,
    look: async (signal = AbortSignal.timeout(30_000)) => {
      sent.length = 0;
      records.length = 0;
      await watchHsms('look', all, log, signal);
      return sent.map((key) => key.split('/').at(-1)).sort();
    },
  };
}
const newKey = (options = {}) => new TestKey(local.azure.world, 'hsm-local', options);

describe('the watch of a Managed HSM', () => {
  it('The watch of a Managed HSM requests the work of a key at first sight, and then at each new version', async () => {
    const { look, sent, records } = watching();
    const key = newKey();
    expect(await look()).toEqual(expect.arrayContaining([key.name, 'vault-key']));
    expect(await look()).toEqual([]);
    const next = key.add();
    expect(await look()).toEqual([key.name]);
    expect(sent).toEqual([key.id()]);
    expect(records).toMatchObject([{ level: 'info', reason: 'HsmKeyChanged', key: key.id(), version: next.version }]);
    expect(await look()).toEqual([]);
  });

  it('The watch of a Managed HSM requests the work of a key when a version becomes usable, nears its expiry, and expires', async () => {
    const { look, records } = watching();
    const nowSeconds = local.azure.clock.nowSeconds();
    const later = newKey();

    later.add({ nbf: nowSeconds + 600 });

    const ending = newKey({ exp: nowSeconds + 40 * 86_400 });

    await look();
    local.azure.clock.advance(601_000);

    expect(await look()).toEqual([later.name]);

    local.azure.clock.advance(11 * DAY_MS);

    expect(await look()).toEqual([ending.name]);

    local.azure.clock.advance(30 * DAY_MS);

    expect(await look()).toEqual([ending.name]);
    expect(records).toMatchObject([{ reason: 'HsmKeyChanged' }, { level: 'error', reason: 'KeyExpired' }]);
    expect(await look()).toEqual([]);
  });

  it('The watch of a Managed HSM requests the work again if the message could not be sent', async () => {
    let fails = true;
    const sent: string[] = [];
    const requestKey = async (key: string) => {
      if (fails) throw new Error('queue down');
      sent.push(key);
    };
    const { look, records } = watching({ requestKey });
    const key = newKey();

    await look();

    expect(records).toContainEqual(expect.objectContaining({ level: 'error', reason: 'HsmUnwatched', key: key.id() }));

    fails = false;
    await look();

    expect(sent).toContain(key.id());
  });

  it('The watch of a Managed HSM waits for the next pass if its stored state cannot be read, and logs that', async () => {
    const seenKeys = { all: () => Promise.reject(new Error('table down')), put: async () => {} };
    const { look, records } = watching({ seenKeys });
    expect(await look()).toEqual([]);
    expect(records).toMatchObject([{ level: 'warning', reason: 'FleetIndexUnavailable' }]);
  });

  it('The watch of a Managed HSM logs keys that it may not read, and continues with the others', async () => {
    const { local: access } = local.azure.world.managedHsms.get('hsm-local') ?? {};
    if (!access) throw new Error('hsm-local is a Managed HSM.');

    const before = new Map(access.roleAssignments);

    access.roleAssignments.clear();

    const { look, records } = watching();
    expect(await look()).toEqual([]);
    expect(records).toMatchObject([{ level: 'error', reason: 'HsmUnwatched' }]);
    expect(records[0]?.message).toContain('403 AccessDenied');

    for (const [name, assignment] of before) access.roleAssignments.set(name, assignment);

    expect((await look()).length).toBeGreaterThan(0);
  });

  it('The watch of a Managed HSM counts keys that it has no time for, and continues with them in the next pass', async () => {
    const { look, records } = watching();
    const { name } = newKey();
    expect(await look(AbortSignal.abort())).toEqual([]);
    expect(records).toMatchObject([{ level: 'error', reason: 'HsmUnwatched' }]);
    expect(records[0]?.message).toMatch(/^(\d+) of the \1 keys/);
    expect(await look()).toContain(name);
  });
});
