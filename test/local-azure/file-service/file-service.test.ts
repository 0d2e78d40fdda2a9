import { describe, expect, it } from 'vitest';
import { fileHostExists } from '../../../local/azure/file-service.ts';
import { createKeyVersion } from '../../../local/azure/key-vault/keys.ts';
import { assignRole } from '../../../local/azure/roles/assign-role.ts';
import { BUILT_IN_ROLES } from '../../../local/azure/roles/built-in-roles.ts';
import { fileFixture } from './fixture.ts';

const listRoot = '/team/?restype=directory&comp=list';
const errorCode = ({ headers }: { headers: Headers }): string | null => headers.get('x-ms-error-code');

describe('access to the file service', () => {
  it.each([
    ['without a token', { headers: { authorization: '' } }, 401, 'NoAuthenticationInformation'],
    ['with a token for ARM', { audience: 'https://management.azure.com' }, 401, 'InvalidAuthenticationInfo'],
    ['without the backup intent', { headers: { 'x-ms-file-request-intent': '' } }, 400, 'MissingRequiredHeader'],
  ])('The file service rejects a caller %s', async (_what, options, status, code) => {
    const { ask } = fileFixture();
    const answer = await ask('GET', listRoot, options);
    expect(answer.status).toBe(status);
    expect(errorCode(answer)).toBe(code);
    expect(answer.text).toContain(`<Code>${code}</Code>`);
  });

  it('The file service rejects a caller without a file data role before it reads the key', async () => {
    const { ask, outsider, version } = fileFixture();
    version.enabled = false;
    const answer = await ask('GET', listRoot, { as: outsider });
    expect([answer.status, errorCode(answer)]).toEqual([403, 'AuthorizationPermissionMismatch']);
  });

  it('A file data reader reads and does not write', async () => {
    const { account, ask, outsider, world } = fileFixture();
    const role = BUILT_IN_ROLES['Storage File Data Privileged Reader'];
    assignRole(world, { scope: account.id, principalId: outsider.objectId, role, settled: true });
    expect((await ask('GET', listRoot, { as: outsider })).status).toBe(200);
    expect((await ask('DELETE', '/team/plan.txt', { as: outsider })).status).toBe(403);
  });

  it('The file service accepts a token for the account itself', async () => {
    const { ask } = fileFixture();
    expect((await ask('GET', listRoot, { audience: 'https://stfiles01.file.core.windows.net' })).status).toBe(200);
  });
});

describe('the key of an account', () => {
  it.each<[string, (fixture: ReturnType<typeof fileFixture>) => void, string | null]>([
    ['is enabled is readable', () => {}, null],
    [
      'is disabled is unreadable',
      ({ version }) => {
        version.enabled = false;
      },
      'KeyVaultEncryptionKeyNotFound',
    ],
    [
      'has expired is readable',
      ({ version }) => {
        version.exp = 1_000_000;
      },
      null,
    ],
    [
      'has a newer version that is disabled is readable',
      ({ vault, world }) => createKeyVersion(world, vault, 'k1', { enabled: false }),
      null,
    ],
    [
      'is disabled in the version that it still uses is unreadable',
      ({ vault, version, world }) => {
        createKeyVersion(world, vault, 'k1');
        version.enabled = false;
      },
      'KeyVaultEncryptionKeyNotFound',
    ],
    ['is deleted is unreadable', ({ vault }) => vault.keys.clear(), 'KeyVaultEncryptionKeyNotFound'],
    ['is in a deleted vault is unreadable', ({ world }) => world.vaults.clear(), 'KeyVaultVaultNotFound'],
    [
      'may not be used by the identity any more is unreadable',
      ({ assignment, world }) => world.roleAssignments.delete(assignment.id.toLowerCase()),
      'KeyVaultAccessTokenCannotBeAcquired',
    ],
    [
      'was reached by a deleted identity is unreadable',
      ({ world }) => world.identities.clear(),
      'KeyVaultAccessTokenCannotBeAcquired',
    ],
    [
      'was reached by an identity that was made again under its name is unreadable',
      ({ account, assignment, world }) => {
        const principalId = '5107a6e0-0000-4000-8000-000000000003';
        const [id = ''] = Object.keys(account.identity?.userAssignedIdentities ?? {});
        const deleted = world.identities.get(id.toLowerCase());
        if (deleted) world.identities.set(id.toLowerCase(), { ...deleted, principalId });
        world.roleAssignments.set('again', { ...assignment, principalId });
      },
      'KeyVaultAccessTokenCannotBeAcquired',
    ],
    [
      'was reached by an identity that is detached is unreadable',
      ({ account }) => {
        account.identity = { type: 'None' };
      },
      'KeyVaultAccessTokenCannotBeAcquired',
    ],
    [
      'is Microsoft’s own is readable',
      ({ account, version }) => {
        version.enabled = false;
        account.encryption.keySource = 'Microsoft.Storage';
      },
      null,
    ],
  ])('The share of an account whose key %s', async (_what, change, code) => {
    const fixture = fileFixture();
    change(fixture);
    for (const path of [listRoot, '/team/plan.txt']) {
      const answer = await fixture.ask('GET', path);
      expect([answer.status, errorCode(answer)]).toEqual(code ? [403, code] : [200, null]);
    }
    expect((await fixture.ask('GET', '/?comp=list')).status).toBe(200);
  });

  it('A share becomes unreadable, and readable again, only after the file service noticed the change of its key', async () => {
    const { ask, version, world } = fileFixture({ fileServiceDelayMs: 60_000 });
    const status = async (): Promise<number> => (await ask('GET', listRoot)).status;

    Object.assign(version, { enabled: false, enabledChangedMs: world.clock.nowMs() });

    expect(await status()).toBe(200);

    world.clock.advance(61_000);

    expect(await status()).toBe(403);

    Object.assign(version, { enabled: true, enabledChangedMs: world.clock.nowMs() });

    expect(await status()).toBe(403);

    world.clock.advance(61_000);

    expect(await status()).toBe(200);
  });
});

it.each([
  ['stfiles01.file.core.windows.net', true],
  ['stnone01.file.core.windows.net', false],
  ['stfiles01.blob.core.windows.net', false],
])('The local Azure tells whether %s resolves', (host, resolves) => {
  expect(fileHostExists(fileFixture().world, host)).toBe(resolves);
});
