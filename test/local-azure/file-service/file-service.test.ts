import { describe, expect, it } from 'vitest';
import { fileHostExists } from '../../../local/azure/file-service.ts';
import { createKeyVersion } from '../../../local/azure/key-vault/keys.ts';
import { assignRole } from '../../../local/azure/roles/assign-role.ts';
import { BUILT_IN_ROLES } from '../../../local/azure/roles/built-in-roles.ts';
import { fileFixture } from './fixture.ts';

const listRoot = '/team/?restype=directory&comp=list';
const errorCode = ({ headers }: { headers: Headers }): string | null => headers.get('x-ms-error-code');

describe('who is let in', () => {
  it.each([
    ['without a token', { headers: { authorization: '' } }, 401, 'NoAuthenticationInformation'],
    ['with a token for ARM', { audience: 'https://management.azure.com' }, 401, 'InvalidAuthenticationInfo'],
    ['without the backup intent', { headers: { 'x-ms-file-request-intent': '' } }, 400, 'MissingRequiredHeader'],
  ])('no caller %s', async (_what, options, status, code) => {
    const { ask } = fileFixture();
    const answer = await ask('GET', listRoot, options);
    expect(answer.status).toBe(status);
    expect(errorCode(answer)).toBe(code);
    expect(answer.text).toContain(`<Code>${code}</Code>`);
  });

  it('no caller without a file data role, whatever the key is like', async () => {
    const { ask, outsider, version } = fileFixture();
    version.enabled = false;
    const answer = await ask('GET', listRoot, { as: outsider });
    expect([answer.status, errorCode(answer)]).toEqual([403, 'AuthorizationPermissionMismatch']);
  });

  it('a reader reads and does not write', async () => {
    const { account, ask, outsider, world } = fileFixture();
    const role = BUILT_IN_ROLES['Storage File Data Privileged Reader'];
    assignRole(world, { scope: account.id, principalId: outsider.objectId, role, settled: true });
    expect((await ask('GET', listRoot, { as: outsider })).status).toBe(200);
    expect((await ask('DELETE', '/team/plan.txt', { as: outsider })).status).toBe(403);
  });

  it('a token for the account itself', async () => {
    const { ask } = fileFixture();
    expect((await ask('GET', listRoot, { audience: 'https://stfiles01.file.core.windows.net' })).status).toBe(200);
  });
});

describe('an account whose key', () => {
  it.each<[string, (fixture: ReturnType<typeof fileFixture>) => void, string | null]>([
    ['is enabled is open', () => {}, null],
    [
      'is disabled is shut',
      ({ version }) => {
        version.enabled = false;
      },
      'KeyVaultEncryptionKeyNotFound',
    ],
    [
      'has expired is open',
      ({ version }) => {
        version.exp = 1_000_000;
      },
      null,
    ],
    [
      'has a newer version that is disabled is open',
      ({ vault, world }) => createKeyVersion(world, vault, 'k1', { enabled: false }),
      null,
    ],
    [
      'is disabled in the version that it still uses is shut',
      ({ vault, version, world }) => {
        createKeyVersion(world, vault, 'k1');
        version.enabled = false;
      },
      'KeyVaultEncryptionKeyNotFound',
    ],
    ['is deleted is shut', ({ vault }) => vault.keys.clear(), 'KeyVaultEncryptionKeyNotFound'],
    ['is in a vault that is gone is shut', ({ world }) => world.vaults.clear(), 'KeyVaultVaultNotFound'],
    [
      'may not be used by the identity any more is shut',
      ({ assignment, world }) => world.roleAssignments.delete(assignment.id.toLowerCase()),
      'KeyVaultAccessTokenCannotBeAcquired',
    ],
    [
      'was reached by an identity that is gone is shut',
      ({ world }) => world.identities.clear(),
      'KeyVaultAccessTokenCannotBeAcquired',
    ],
    [
      'was reached by an identity that was made again under its name is shut',
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
      'was reached by an identity that is detached is shut',
      ({ account }) => {
        account.identity = { type: 'None' };
      },
      'KeyVaultAccessTokenCannotBeAcquired',
    ],
    [
      'is Microsoft’s own is open',
      ({ account, version }) => {
        version.enabled = false;
        account.encryption.keySource = 'Microsoft.Storage';
      },
      null,
    ],
  ])('%s', async (_what, change, code) => {
    const fixture = fileFixture();
    change(fixture);
    for (const path of [listRoot, '/team/plan.txt']) {
      const answer = await fixture.ask('GET', path);
      expect([answer.status, errorCode(answer)]).toEqual(code ? [403, code] : [200, null]);
    }
    expect((await fixture.ask('GET', '/?comp=list')).status).toBe(200);
  });

  it('changes is shut, and open again, once the service has noticed', async () => {
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
])('says whether %s resolves', (host, resolves) => {
  expect(fileHostExists(fileFixture().world, host)).toBe(resolves);
});
