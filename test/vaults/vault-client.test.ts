import { describe, expect, it } from 'vitest';
import { parseResourceId } from '../../src/azure/resource-id.ts';
import { toManagedVault } from '../../src/cli/procedures/resolve.ts';
import { useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();

describe('a vault whose properties do not mention soft delete', () => {
  it('A vault whose properties omit soft delete has it, for the drift check and for the commands', async () => {
    const { vault } = procedures.site();
    const { enableSoftDelete: _, ...properties } = vault.properties;
    const { id, name, location } = vault;
    const match = { host: 'management.azure.com', path: `/vaults/${name}\\?` };

    procedures.local.faults.add([{ match, answer: { status: 200, body: { id, name, location, properties } } }]);

    const { vaults, cloud } = procedures.azure();
    const parsed = parseResourceId(id);
    const found = parsed && (await vaults.find(parsed));

    expect(found).toMatchObject({ name, softDelete: true, purgeProtection: true, accessModel: 'rbac' });
    expect(found && (await vaults.get(toManagedVault(found, cloud)))).toMatchObject({ id, softDelete: true });
  });
});
