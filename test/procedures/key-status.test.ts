import { describe, expect, it } from 'vitest';
import { addAccount } from '../../local/azure/fleet.ts';
import { listFleet } from '../../src/procedures/fleet-list.ts';
import { retireVersions } from '../../src/procedures/key-retire.ts';
import { keyStatus } from '../../src/procedures/key-status.ts';
import { keyOf, type Site, texts, unique, useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();
const DAY = 86_400_000;

describe('key status', () => {
  it('shows the versions, who uses which, and what is not usable', async () => {
    const site = procedures.site();
    const first = procedures.encrypted(site, 'pinned');
    const next = procedures.nextVersion(site);
    const second = procedures.encrypted(site, 'pinned');
    const { result } = await procedures.run((procedure) => keyStatus(keyOf(site), {}, procedure));
    expect(result).toMatchObject({
      key: `https://${site.vault.name}.vault.azure.net/keys/files-key`,
      newestUsable: next.version,
      revocation: undefined,
      versions: [
        { version: next.version, state: 'Usable', usedBy: [second.name] },
        { version: site.version.version, state: 'Usable', usedBy: [first.name] },
      ],
    });
  });

  it('refuses a key that is not there', async () => {
    const site = procedures.site();
    const refusal = await procedures.refusal((procedure) =>
      keyStatus(keyOf({ ...site, key: 'nowhere' }), {}, procedure),
    );
    expect(refusal.reason).toBe('KeyNotFound');
  });
});

describe('key retire', () => {
  const retire =
    (site: Site, version?: string, hours = 24) =>
    (procedure: Parameters<typeof retireVersions>[4]) =>
      retireVersions(keyOf(site), version, hours, {}, procedure);

  it('disables what nobody uses any more, keeps the rest with the reason, and finds it done the second time', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site, 'pinned');
    const unused = procedures.nextVersion(site);
    const newest = procedures.nextVersion(site);
    procedures.local.clock.advance(25 * 3_600_000);

    const first = await procedures.run(retire(site));
    expect(first.result.retired).toEqual([unused.version]);
    expect(unused.enabled).toBe(false);
    expect([site.version.enabled, newest.enabled]).toEqual([true, true]);
    expect(texts(first, 'found').join('\n')).toContain(`It is used by ${account.name}.`);
    const second = await procedures.run(retire(site));
    expect(second.changed).toBe(false);
  });

  it.each([
    ['a version in use', DAY * 2, 24, /is used by st/],
    ['a version whose successor is too young', 3_600_000, 24, /is 1 hours old, and has to be 24/],
  ])('refuses %s', async (_, age, hours, message) => {
    const site = procedures.site();
    procedures.encrypted(site, 'pinned');
    procedures.nextVersion(site);
    procedures.local.clock.advance(age);
    const refusal = await procedures.refusal(retire(site, site.version.version, hours));
    expect(refusal).toMatchObject({ reason: 'VersionInUse', message: expect.stringMatching(message) });
  });

  it('refuses when not everything could be read, and fewer than 24 hours', async () => {
    const site = procedures.site();
    procedures.nextVersion(site);
    procedures.local.clock.advance(2 * DAY);
    procedures.local.faults.add([{ match: { path: '/storageAccounts\\?' }, answer: { status: 500, body: {} } }]);
    const refusal = await procedures.refusal(retire(site, site.version.version));
    expect(refusal.message).toContain('Not everything could be read');
    expect((await procedures.refusal(retire(site, undefined, 12))).reason).toBe('ArgumentInvalid');
  });
});

describe('fleet list', () => {
  it('shows every account with its key, mode, version and state', async () => {
    const site = procedures.site();
    const stale = procedures.encrypted(site, 'pinned');
    const next = procedures.nextVersion(site);
    const fresh = procedures.encrypted(site, 'automatic');
    addAccount(procedures.world, site.group, { name: unique('st') });
    const { result } = await procedures.run((procedure) => listFleet({ scopes: true, all: true }, procedure));
    const rowOf = (name: string) => result.rows.find((row) => row.name === name);
    expect(rowOf(stale.name)).toMatchObject({
      mode: 'pinned',
      version: site.version.version,
      state: 'StaleKeyVersion',
    });
    expect(rowOf(fresh.name)).toMatchObject({ mode: 'automatic', version: next.version, state: 'UpToDate' });
    expect(rowOf(site.account.name)).toMatchObject({ key: undefined, state: 'NotCustomerManaged' });
    expect(result.unread).toEqual([]);
  });
});
