import { describe, expect, it } from 'vitest';
import { addVault } from '../../../local/azure/fleet.ts';
import { ensureVault } from '../../../src/cli/procedures/vault/vault-ensure.ts';
import { texts, unique, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();

describe('vault ensure', () => {
  it('vault ensure creates a vault with purge protection, soft delete and role-based access, and changes nothing the second time', async () => {
    const group = procedures.group();
    const wanted = { name: unique('kv-'), resourceGroup: group.name, location: 'northeurope' };

    const first = await procedures.run((operation) => ensureVault(wanted, operation));
    const second = await procedures.run((operation) => ensureVault(wanted, operation));

    expect(texts(first, 'done')).toEqual([
      `vault ${wanted.name} created in ${group.name} (northeurope), with purge protection and Azure RBAC`,
    ]);

    expect(procedures.world.vaults.get(wanted.name)).toMatchObject({
      location: 'northeurope',
      properties: {
        enablePurgeProtection: true,
        enableSoftDelete: true,
        enableRbacAuthorization: true,
        softDeleteRetentionInDays: 90,
        sku: { name: 'standard' },
      },
    });

    expect(second.changed).toBe(false);
    expect(texts(second, 'found')).toContain('purge protection and soft delete are on');
    expect(second.result).toEqual(first.result);
  });

  it('vault ensure does not claim that no vault exists when the sign-in may not read it', async () => {
    const { vault } = procedures.site();
    const refusal = await procedures.refusal((operation) => ensureVault({ name: vault.name }, operation), {
      as: procedures.stranger(),
    });
    expect(refusal).toMatchObject({
      message: `Your sign-in sees no vault ${vault.name}, and creating it needs a resource group.`,
      nextStep: 'Add --resource-group <group>; or, if it exists, ask for Reader on it.',
    });
  });

  it('vault ensure turns purge protection on for an existing vault, and says that this is permanent', async () => {
    const vault = addVault(procedures.world, procedures.group(), unique('kv-'), { enablePurgeProtection: false });

    const report = await procedures.run((operation) => ensureVault({ name: vault.name }, operation));
    expect(texts(report, 'done')).toEqual([
      `purge protection of ${vault.name} turned on; it cannot be turned off again`,
    ]);
    expect(vault.properties.enablePurgeProtection).toBe(true);
    expect(report.result.purgeProtection).toBe(true);
  });

  it('vault ensure changes nothing in a dry run, and prints the planned changes', async () => {
    const vault = addVault(procedures.world, procedures.group(), unique('kv-'), { enablePurgeProtection: false });
    const group = procedures.group();
    const writes = await procedures.writes(async () => {
      const old = await procedures.run((operation) => ensureVault({ name: vault.name }, operation), { dryRun: true });
      expect(texts(old, 'planned')).toHaveLength(1);
      const wanted = { name: unique('kv-'), resourceGroup: group.name, location: 'westeurope' };
      const fresh = await procedures.run((operation) => ensureVault(wanted, operation), { dryRun: true });
      expect(texts(fresh, 'planned')).toHaveLength(1);
      expect(fresh.result.planned).toBe(true);
    });

    expect(writes).toEqual([]);
  });

  it.each([
    ['a name with an underscore', { name: 'kv_files' }, /"kv_files" is not a name of a key vault/],
    ['two hyphens in a row', { name: 'kv--files' }, /is not a name/],
    ['no resource group', { name: 'kv-nowhere', location: 'westeurope' }, /creating it needs a resource group/],
    ['no region', { name: 'kv-nowhere', resourceGroup: 'rg' }, /creating it needs a region/],
  ])('vault ensure rejects %s', async (_, wanted, message) => {
    const refusal = await procedures.refusal((operation) => ensureVault(wanted, operation));
    expect(refusal).toMatchObject({ reason: 'ArgumentInvalid', message: expect.stringMatching(message) });
    expect(refusal.nextStep).not.toBe('');
  });

  it('vault ensure rejects the name of a deleted vault, and prints how to recover it', async () => {
    const group = procedures.group();
    const vault = addVault(procedures.world, group, unique('kv-'));

    procedures.world.vaults.delete(vault.name);
    procedures.world.deletedVaults.set(vault.name, vault);

    const wanted = { name: vault.name, resourceGroup: group.name, location: 'westeurope' };

    const refusal = await procedures.refusal((operation) => ensureVault(wanted, operation));
    expect(refusal.reason).toBe('NameTaken');
    expect(refusal.nextStep).toContain(`az keyvault recover --name ${vault.name}`);
  });
});
