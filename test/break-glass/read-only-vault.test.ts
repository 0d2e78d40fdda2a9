import { afterEach, describe, expect, it } from 'vitest';
import type { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { breakGlass, enabledOf, keyOf, managed, recordsOf, refusalOf } from './break-glass-fixture.ts';
import { keyVaultCalls } from './key-vault-calls.ts';

const wire = useWire();

const { revoke } = breakGlass(wire);

const failOver = (...vaults: string[]) => {
  wire.azure.world.settings.failedOverVaults = vaults;
};

afterEach(() => failOver());

const writesTo = (name: string, since: number) =>
  keyVaultCalls(wire.azure, name, since).filter(({ method }) => method === 'PATCH');

/** Key Vault rejects each write of the key with this answer. */
const reject = (key: TestKey, status: number, innerCode?: string) => {
  const innererror = innerCode && { code: innerCode };
  const body = { error: { code: 'Refused', message: 'The update is refused.', innererror } };
  wire.azure.faults.add([{ match: { method: 'PATCH', path: `^/keys/${key.name}/` }, answer: { status, body } }]);
};

describe('a revocation of a key whose vault is failed over', () => {
  it('A revocation in a vault that is failed over says VaultReadOnly and the second way within two seconds', async () => {
    const key = keyOf(wire.azure, 25);
    failOver('kv-files');

    const since = wire.azure.requests.last;
    const startedOn = Date.now();
    const refused = await refusalOf(revoke(key, wire.services()));

    expect(Date.now() - startedOn).toBeLessThan(2_000);
    expect(refused).toMatchObject({ status: 409, reason: 'VaultReadOnly', extensions: { complete: false } });

    const command = "cmk account revoke '<account>' --shared --reason '<why>'";
    expect(refused.nextStep).toContain(`\`${command}\``);
    expect(refused.extensions?.secondWay).toBe(command);

    expect(enabledOf(key)).toEqual(Array(25).fill(true));
    expect(recordsOf(key)).toEqual(Array(25).fill(undefined));

    // Each version is refused twice: once may have another cause.
    expect(writesTo(key.name, since)).toHaveLength(50);
    expect(wire.records).toContainEqual(expect.objectContaining({ reason: 'VaultReadOnly', key: key.id() }));
  });

  it('A revocation disables every version again after the failback', async () => {
    const key = keyOf(wire.azure, 2);
    failOver('kv-files');
    expect((await refusalOf(revoke(key, wire.services()))).reason).toBe('VaultReadOnly');

    failOver();

    expect(await revoke(key, wire.services())).toMatchObject({ reason: 'Revoked', complete: true });
    expect(enabledOf(key)).toEqual([false, false]);
  });

  it('A revocation is complete in a vault that is failed over if every version was disabled before', async () => {
    const key = keyOf(wire.azure, 2);
    for (const version of key.vault.keys.get(key.name)?.versions ?? []) version.enabled = false;
    failOver('kv-files');

    const answer = await revoke(key, wire.services());
    expect(answer).toMatchObject({ reason: 'Revoked', complete: true });
    expect(answer.warnings.join()).toMatch(/could not write the revocation record/);
  });
});

describe('a vault that rejects the update of a key', () => {
  it.each([400, 403, 405, 409])(
    'A revocation says VaultReadOnly if updates are rejected by %i while reads are answered',
    async (status) => {
      const key = keyOf(wire.azure, 2);
      reject(key, status);

      expect((await refusalOf(revoke(key, wire.services()))).reason).toBe('VaultReadOnly');
    },
  );

  it.each(['ForbiddenByRbac', 'AccessDenied'])(
    'A revocation does not take a missing right (%s) for a read-only vault',
    async (code) => {
      const key = keyOf(wire.azure, 2);
      reject(key, 403, code);

      expect((await refusalOf(revoke(key, wire.services()))).reason).toBe('RevocationIncomplete');
    },
  );

  it.each([500, 503, 429])('A revocation does not take an outage (%i) for a read-only vault', async (status) => {
    const key = keyOf(wire.azure, 1);
    reject(key, status);

    expect((await refusalOf(revoke(key, wire.services()))).reason).toBe('RevocationIncomplete');
  });

  it('A revocation does not say VaultReadOnly if the vault accepts the update of another version', async () => {
    const key = keyOf(wire.azure, 2);
    const path = `^/keys/${key.name}/${key.first.version}`;
    wire.azure.faults.add([{ match: { method: 'PATCH', path }, answer: { status: 403 } }]);

    expect((await refusalOf(revoke(key, wire.services()))).reason).toBe('RevocationIncomplete');
    expect(enabledOf(key)).toEqual([true, false]);
  });

  it('A revocation does not say VaultReadOnly if the vault rejects reads after the update', async () => {
    const key = keyOf(wire.azure, 1);
    const services = wire.services();
    await services.urgentKeys.listVersions(managed(key, services));

    reject(key, 403);
    const match = { method: 'GET', path: `^/keys/${key.name}/versions` };
    wire.azure.faults.add([{ match, skip: 1, answer: { status: 403 } }]);

    expect((await refusalOf(revoke(key, services))).reason).toBe('RevocationIncomplete');
  });
});
