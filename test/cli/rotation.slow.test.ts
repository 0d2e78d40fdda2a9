import { beforeEach, describe, expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import { createControlTable, createFleetTable } from '../../src/index/fleet-table-client.ts';
import { createRolloutStore } from '../../src/index/rollout-row.ts';
import { createUseRows } from '../../src/index/use-row.ts';
import { readStorageSettings } from '../../src/settings/settings.ts';
import { useAzurite } from '../support/azurite.ts';
import { type Site, useProcedures } from '../support/procedures.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';

const azurite = useAzurite();
const procedures = useProcedures();
/** With every vault of the world as the app's. */
const known = () => ({
  AzureWebJobsStorage: azurite.connectionString,
  CMK_VAULTS: [...procedures.world.vaults.values()].map(({ id }) => id).join(' '),
});
const cmk = (args: readonly string[], options: CmkOptions = {}) =>
  runCmk(procedures, args, { env: known(), ...options });
const none = () => {
  throw new Error('A connection string needs no sign-in.');
};

beforeEach(() => createAppStorage(azurite.connectionString));

/** Writes what is known of a key with one account, and its rollout. */
async function noted(site: Site, current: string): Promise<string> {
  const key = `https://${site.vault.name}.vault.azure.net/keys/${site.key}`;
  const settings = readStorageSettings({ AzureWebJobsStorage: azurite.connectionString });
  const { id: account, location } = site.account;
  const now = new Date().toISOString();
  const use = { key, account, location, mode: 'pinned', pinned: current, current, readOn: now } as const;

  await createUseRows(createFleetTable(settings, none)).put([{ ...use, state: 'pending', at: now, attempts: 0 }]);

  const row = { target: undefined, stage: 'rest', canaries: [], proven: false, unfinished: 0, failed: 0 } as const;
  const rollouts = createRolloutStore(createControlTable(settings, none));

  await rollouts.put(key, { ...row, progressOn: now, checkedOn: now }, undefined);

  return key;
}

describe('cmk rotation', () => {
  it('cmk rotation prints the progress of a rotation from the storage of the app alone', async () => {
    const site = procedures.site();

    await noted(site, site.version.version);

    const show = ['rotation', 'show', site.key, '--vault', site.vault.name];
    const row = `${site.vault.name}/files-key\tfinished\t1\t0\t0\t0`;

    expect(await cmk(show)).toMatchObject({ code: 0, out: expect.stringContaining(row) });

    const of = async (subscriptions: string) =>
      (await cmk(show, { env: { ...known(), CMK_SUBSCRIPTIONS: subscriptions } })).out;
    expect(await of(' , ')).toContain('\tfinished\t1\t');
    expect(await of(SECOND_SUBSCRIPTION_ID)).toContain('\tfinished\t0\t');

    const all = await cmk(['rotation', 'list', '--json']);
    expect(JSON.parse(all.out).result).toContainEqual(expect.objectContaining({ state: 'finished', moved: 1 }));
    expect((await cmk([...show, '--watch'])).code).toBe(0);
  });

  it('cmk rotation pauses and resumes, with an audit record, and prints the pause', async () => {
    const site = procedures.site();
    const key = await noted(site, 'f'.repeat(32));
    const of = [site.key, '--vault', site.vault.name];
    const paused = await cmk(['rotation', 'pause', ...of, '--reason', 'a change window', '--until', 'PT4H']);

    expect(paused).toEqual({ code: 0, out: expect.stringContaining(`Paused: ${key} since `), err: '' });
    expect((await cmk(['rotation', 'show', ...of])).out).toMatch(/\tpaused\t0\t1\t0\t0.*a change window/s);
    expect((await cmk(['key', 'show', ...of])).out).toMatch(/^Paused since \S+ until \S+: a change window$/m);

    const { result } = JSON.parse((await cmk(['key', 'show', ...of, '--json'])).out);
    expect(result.paused).toMatchObject({ reason: 'a change window', until: expect.any(String) });

    const resumed = await cmk(['rotation', 'resume', ...of, '--reason', 'it is over']);
    expect(resumed).toMatchObject({ code: 0, out: expect.stringContaining('Nothing is paused.') });
    expect(resumed.out).toContain(`The app retries failed accounts of ${site.vault.name}/files-key now.`);
    expect((await cmk(['key', 'show', ...of])).out).not.toMatch(/paused/i);
    expect(await cmk(['audit', 'verify'])).toMatchObject({ code: 0, out: expect.stringContaining('2') });
  });

  it('cmk rotation prints every open pause, even if no rotation waits for it', async () => {
    const site = procedures.site();
    const key = await noted(site, site.version.version);
    const of = [site.key, '--vault', site.vault.name];

    await cmk(['rotation', 'pause', ...of, '--reason', 'a change window']);
    await cmk(['rotation', 'pause', '--reason', 'the whole fleet rests']);

    const still = await cmk(['rotation', 'resume', ...of, '--reason', 'it is over']);
    expect(still.out).not.toContain('retries');

    await cmk(['rotation', 'pause', ...of, '--reason', 'a change window']);

    const { out } = await cmk(['rotation', 'list']);
    expect(out).toContain(`${site.vault.name}/files-key\tfinished`);
    expect(out).toMatch(new RegExp(`^Paused: ${key} since .*: a change window$`, 'm'));
    expect(out).toMatch(/^Paused: all keys since .*: the whole fleet rests$/m);

    await cmk(['rotation', 'resume', '--reason', 'it is over']);
  });

  it('cmk rotation rejects an end in the past', async () => {
    const late = await cmk(['rotation', 'pause', '--reason', 'a change window', '--until', '2001-01-01']);
    expect(late).toMatchObject({ code: 2, err: expect.stringContaining('is in the past') });
  });
});
