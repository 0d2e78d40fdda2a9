import { describe, expect, it } from 'vitest';
import { addAccount } from '../../local/azure/fleet.ts';
import { listFleet } from '../../src/operations/fleet-list.ts';
import { revokeAsOperator } from '../../src/operations/key/key-revoke.ts';
import { showKeyStatus } from '../../src/operations/key/key-status.ts';
import { keyOf, unique, useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();

describe('key status', () => {
  it('shows the versions, who uses which, and what is not usable', async () => {
    const site = procedures.site();
    const first = procedures.encrypted(site, 'pinned');
    const next = procedures.nextVersion(site);
    const second = procedures.encrypted(site, 'pinned');
    const { result } = await procedures.run((operation) => showKeyStatus(keyOf(site), {}, operation));
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

  it('calls revoked what the open revocation disabled, and nothing that was off before', async () => {
    const site = procedures.site();
    const off = procedures.nextVersion(site, { enabled: false });
    const app = { audit: async () => ({ failed: 'none here' }), queue: { send: async () => {} } };
    await procedures.run((operation) =>
      revokeAsOperator(keyOf(site), { reason: 'test', environment: {}, app }, operation),
    );
    const { result } = await procedures.run((operation) => showKeyStatus(keyOf(site), {}, operation));
    expect(result.versions.map(({ version, state, revoked }) => [version, state, revoked])).toEqual([
      [off.version, 'Disabled', false],
      [site.version.version, 'Disabled', true],
    ]);
    const [id] = site.version.tags?.['cmk-revocation']?.split(' ') ?? [];
    expect(result.revocation?.id).toBe(id);
  });

  it('refuses a key that is not there', async () => {
    const site = procedures.site();
    const refusal = await procedures.refusal((operation) =>
      showKeyStatus(keyOf({ ...site, key: 'nowhere' }), {}, operation),
    );
    expect(refusal.reason).toBe('KeyNotFound');
  });
});

describe('fleet list', () => {
  it('shows every account with its key, mode, version and state', async () => {
    const site = procedures.site();
    const stale = procedures.encrypted(site, 'pinned');
    const next = procedures.nextVersion(site);
    const fresh = procedures.encrypted(site, 'automatic');
    addAccount(procedures.world, site.group, { name: unique('st') });
    const { result } = await procedures.run((operation) => listFleet({ scopes: true, all: true }, operation));
    const rowOf = (name: string) => result.rows.find((row) => row.name === name);
    expect(rowOf(stale.name)).toMatchObject({
      mode: 'pinned',
      version: site.version.version,
      state: 'StaleKeyVersion',
      health: 'Stale',
      cause: { reason: 'StaleKeyVersion' },
    });
    expect(rowOf(fresh.name)).toMatchObject({
      mode: 'automatic',
      version: next.version,
      state: 'UpToDate',
      health: 'Serving',
    });
    expect(rowOf(site.account.name)).toMatchObject({
      key: undefined,
      state: 'NotCustomerManaged',
      health: 'NotManaged',
    });
    expect(result.unread).toEqual([]);
  });

  it('calls nothing managed that is outside of CMK_VAULTS, where they are set, as the app does not', async () => {
    const [inside, outside] = [procedures.site(), procedures.site()];
    const [managed, unmanaged] = [inside, outside].map((site) => procedures.encrypted(site));
    const environment = { CMK_VAULTS: inside.vault.id };
    const { result } = await procedures.run((operation) =>
      listFleet({ scopes: false, all: false }, { ...operation, environment }),
    );
    const rowOf = (name = '') => result.rows.find((row) => row.name === name);
    expect(rowOf(managed?.name)).toMatchObject({ state: 'UpToDate', health: 'Serving' });
    expect(rowOf(unmanaged?.name)).toMatchObject({
      version: outside.version.version,
      state: 'UnmanagedVault',
      health: 'NotManaged',
      cause: { reason: 'UnmanagedVault', label: outside.vault.name },
    });
    expect(result.unread).toEqual([]);
  });
});
