import { describe, expect, it } from 'vitest';
import { addOtherResource } from '../../../local/azure/fleet.ts';
import type { Principal } from '../../../local/azure/world.ts';
import type { AppRecord } from '../../../src/cli/procedures/app-storage.ts';
import {
  previewRevocation,
  restoreAsOperator,
  revokeAsOperator,
} from '../../../src/cli/procedures/key/key-break-glass.ts';
import { keyOf, type Site, texts, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();
const app: AppRecord = {
  audit: async () => ({ written: { file: 'f', seq: 1, hash: 'h' } }),
  queue: { send: async () => {} },
};

const officer = ({ vault }: Site): Principal => procedures.somebodyWith(vault.id, 'Key Vault Crypto Officer');

const revoking = (site: Site) => (operation: Parameters<typeof revokeAsOperator>[2]) =>
  revokeAsOperator(keyOf(site), { reason: 'test', environment: {}, app }, operation);
/** The revocation that the key's versions name, as `cmk key show` says it. */
const openOn = ({ vault, key }: Site): string =>
  vault.keys.get(key)?.versions.flatMap(({ tags }) => tags?.['cmk-revocation']?.split(' ')[0] ?? [])[0] ?? 'none';
const restoring =
  (site: Site, { dualControl = true, revocation = openOn(site), environment = {} } = {}) =>
  (operation: Parameters<typeof restoreAsOperator>[2]) =>
    restoreAsOperator(keyOf(site), { reason: 'test', revocation, dualControl, environment, app }, operation);

describe('key revoke and key restore', () => {
  it('key revoke disables every version, and key restore enables exactly those again, by a second person', async () => {
    const site = procedures.site();

    procedures.encrypted(site);

    const off = procedures.nextVersion(site, { enabled: false });
    const newest = procedures.nextVersion(site);
    const first = officer(site);
    const second = officer(site);

    const revoked = await procedures.run(revoking(site), { as: first });
    expect(revoked.result).toMatchObject({
      complete: true,
      audit: 'written',
      auditReceipt: '1:h',
      revocation: { revokedBy: first.objectId },
    });

    expect([site.version, off, newest].map(({ enabled }) => enabled)).toEqual([false, false, false]);
    expect(newest.tags?.['cmk-revocation']).toContain(first.objectId);
    expect(texts(revoked, 'done')).toHaveLength(2);

    const { id } = revoked.result.revocation ?? { id: '' };
    expect(id).not.toBe('');

    const restoreIt = `cmk key restore ${site.key} --vault ${site.vault.name} --revocation ${id} --reason '<why>'`;
    expect(texts(revoked, 'note')).toContain(`To restore access, a second person runs: ${restoreIt}`);

    const other = await procedures.refusal(restoring(site, { revocation: 'cafe' }), { as: second });
    expect(other).toMatchObject({ reason: 'OtherRevocation', nextStep: `To restore that revocation: ${restoreIt}` });

    const same = await procedures.refusal(restoring(site), { as: first });
    expect(same).toMatchObject({
      reason: 'SecondPersonNeeded',
      nextStep: `Ask a second person to run it: ${restoreIt}`,
    });

    const restored = await procedures.run(restoring(site), { as: second });
    expect(restored.result).toMatchObject({ complete: true, audit: 'written', auditReceipt: '1:h' });
    expect([site.version, off, newest].map(({ enabled }) => enabled)).toEqual([true, false, true]);
    expect(newest.tags?.['cmk-revocation']).toBeUndefined();

    const repeated = await procedures.run(restoring(site, { revocation: id }), { as: second });
    expect(repeated).toMatchObject({ changed: false, result: { complete: true } });
    expect(texts(repeated, 'found')).toEqual([`revocation ${id} is restored already`]);

    const inCapitals = restoring(site, { revocation: id.toUpperCase() });
    const tried = await procedures.run(inCapitals, { as: second, dryRun: true });

    expect(texts(tried, 'found')).toEqual([`revocation ${id.toUpperCase()} is restored already`]);

    const nothing = await procedures.run(restoring(site, { revocation: 'cafe' }), { as: second });
    expect(nothing.changed).toBe(false);
    expect(texts(nothing, 'found')).toContain('no revocation of this key is open');
  });

  it('key revoke names VaultReadOnly and the way by roles if the vault is failed over', async () => {
    const site = procedures.site();
    const { settings } = procedures.world;
    settings.failedOverVaults = [site.vault.name];

    try {
      const report = await procedures.run(revoking(site), { as: officer(site) });

      expect(report).toMatchObject({ changed: false, result: { reason: 'VaultReadOnly', complete: false } });
      expect(site.version.enabled).toBe(true);

      const notes = texts(report, 'note').join('\n');
      const command = "cmk account revoke '<account>' --shared --reason '<why>'";
      expect(notes).toContain('VaultReadOnly: ');
      expect(notes).toContain(command);
      expect(notes).not.toContain('same command again');
    } finally {
      settings.failedOverVaults = [];
    }
  });

  it('key revoke and key restore work whatever app settings are in the environment', async () => {
    const site = procedures.site();
    await procedures.run(revoking(site), { as: officer(site) });
    const environment = { CMK_SUBSCRIPTIONS: 'nonsense' };
    const report = await procedures.run(restoring(site, { environment }), { as: officer(site) });
    expect(report.result).toMatchObject({ complete: true, accounts: [] });
    expect(texts(report, 'note').join('\n')).toMatch(/No account could be checked .*CMK_SUBSCRIPTIONS/s);
  });

  it('key revoke prints in a dry run what would stop, and stops nothing', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const dataEncryption = { primaryKeyURI: keyOf(site).id };

    addOtherResource(procedures.world, site.group, 'Microsoft.DBforMySQL/flexibleServers', 'mysql', { dataEncryption });

    const writes = await procedures.writes(async () => {
      const report = await procedures.run((operation) => previewRevocation(keyOf(site), {}, operation), {
        dryRun: true,
      });
      expect(texts(report, 'planned')).toEqual([`version ${site.version.version} disabled`]);

      expect(texts(report, 'found')).toEqual([
        '1 storage account with 1 file share and 1 other resource depend on the key',
        `${account.name}: file share share1`,
        expect.stringMatching(
          /^mysql: microsoft\.dbformysql\/flexibleservers\. It rejects connections within ten minutes/,
        ),
      ]);

      expect(texts(report, 'note')).toEqual([
        expect.stringContaining("Whether the app's own storage is encrypted with this key is not known"),
        'The list may be incomplete: Azure silently omits resources that this sign-in may not read.',
      ]);
      expect(report.result.dependents?.accounts.map(({ name }) => name)).toEqual([account.name]);
    });

    expect(writes).toEqual([]);

    await procedures.run(revoking(site));

    const other = officer(site);
    const report = await procedures.run(restoring(site), { as: other, dryRun: true });

    expect(texts(report, 'planned')).toEqual([`version ${site.version.version} enabled`]);
    expect(site.version.enabled).toBe(false);
  });

  it('key revoke and key restore reject a key that does not exist', async () => {
    const site = procedures.site();
    const nowhere = { ...site, key: 'nowhere' };
    for (const operation of [revoking(nowhere), restoring(nowhere)]) {
      expect((await procedures.refusal(operation)).reason).toBe('KeyNotFound');
    }
  });
});
