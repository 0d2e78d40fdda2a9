import { expect, it } from 'vitest';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { outsider } from '../drift/outsider.ts';
import type { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { breakGlass, enabledOf, keyOf } from './break-glass-fixture.ts';

const wire = useWire();
const { revoke } = breakGlass(wire);

/** What `terraform apply` sends for `azurerm_key_vault_key` when the tags differ: an update of the newest version. */
async function applyTerraform(key: TestKey): Promise<void> {
  const keyOps = ['wrapKey', 'unwrapKey'] as const;
  await outsider(wire.azure)
    .keys(key.vault.name)
    .updateKeyProperties(key.name, { enabled: true, keyOps: [...keyOps], tags: { env: 'prod' } });
}

/** The findings about a key's revocation. */
async function check(key: TestKey): Promise<string[]> {
  const services = wire.services({ CMK_AUTOFIX: 'none' });
  const { findings } = await runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log);
  return findings
    .filter(({ resource, reason }) => resource.startsWith(key.id()) && /Revo/.test(reason))
    .map(({ severity, reason }) => `${severity} ${reason}`)
    .sort();
}

it.each([
  [1, [true], ['error RevocationRecordLost']],
  [2, [false, true], ['error RevokedVersionEnabled', 'warning RevocationOpen']],
])(
  'Every later check reports tags that Terraform rewrites after a revocation as an error: a key of %i versions',
  async (...args) => {
    const [count, enabled, findings] = args;
    const key = keyOf(wire.azure, count);

    await revoke(key, wire.services());
    await wire.azure.clock.advance(3_600_000);
    await applyTerraform(key);

    expect(enabledOf(key)).toEqual(enabled);

    expect(await check(key)).toEqual(findings);

    await wire.azure.clock.advance(3_600_000);

    expect(await check(key)).toEqual(findings);

    await revoke(key, wire.services(), 'bob');

    expect(await check(key)).toEqual(['warning RevocationOpen']);

    await breakGlass(wire).restore(key, wire.services(), 'carol');

    expect(await check(key)).toEqual([]);
  },
);
