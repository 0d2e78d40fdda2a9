import { describe, expect, it } from 'vitest';
import { parseResourceId } from '../../src/azure/resource-id.ts';
import { managed } from '../../src/operations/resolve.ts';
import { useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();

describe('a vault whose properties do not mention soft delete', () => {
  it('has it: for the drift check, which said no, and for the operations, which said yes', async () => {
    const { vault } = procedures.site();
    const { enableSoftDelete: _, ...properties } = vault.properties;
    const { id, name, location } = vault;
    const match = { host: 'management.azure.com', path: `/vaults/${name}\\?` };
    procedures.local.faults.add([{ match, answer: { status: 200, body: { id, name, location, properties } } }]);
    const { vaults, cloud } = procedures.azure();
    const parsed = parseResourceId(id);
    const found = parsed && (await vaults.find(parsed));
    expect(found).toMatchObject({ name, softDelete: true, purgeProtection: true, accessModel: 'rbac' });
    expect(found && (await vaults.get(managed(found, cloud)))).toMatchObject({ id, softDelete: true });
  });

  it('has none when they say so', async () => {
    const { vault } = procedures.site({ vault: { enableSoftDelete: false } });
    const parsed = parseResourceId(vault.id);
    expect(parsed && (await procedures.azure().vaults.find(parsed))).toMatchObject({ softDelete: false });
  });
});

describe('whether a vault is soft-deleted', () => {
  it('is not known to whoever may not look, and that is said', async () => {
    const { vault } = procedures.site();
    const match = { host: 'management.azure.com', path: '/deletedVaults/' };
    const body = { error: { code: 'AuthorizationFailed', message: 'No.' } };
    procedures.local.faults.add([{ match, answer: { status: 403, body } }]);
    const { vaults } = procedures.azure();
    const asked = vaults.isDeleted(vault.id.split('/')[2] ?? '', vault.name, vault.location);
    await expect(asked).rejects.toMatchObject({ statusCode: 403 });
  });
});
