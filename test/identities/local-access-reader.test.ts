import { describe, expect, it } from 'vitest';
import { checkIdentityAccess } from '../../src/identities/key-access.ts';
import { ENCRYPTION_USER } from '../../src/identities/key-roles.ts';
import { createLocalAccessReader } from '../../src/identities/local-access-reader.ts';
import type { RoleGrant } from '../../src/identities/role-grant.ts';
import type { ManagedVault } from '../../src/keys/managed-vaults.ts';

const HSM = { id: '/subscriptions/s1/…/managedHSMs/hsm-1', uri: 'https://hsm-1.managedhsm.azure.net' } as ManagedVault;
const ME = '11111111-1111-1111-1111-111111111111';
const account = {
  id: '/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1',
  userAssignedIdentities: [],
  principalIds: {},
  systemPrincipalId: ME,
  encryption: {},
};
const FORBIDDEN = Object.assign(new Error('Not authorized'), { statusCode: 403, code: 'Refused' });

function grant(change: Partial<RoleGrant> = {}): RoleGrant {
  const { dataActions } = ENCRYPTION_USER.local;
  return { id: 'a', principalId: ME, scope: '/keys', dataActions, notDataActions: [], conditional: false, ...change };
}

/** What an HSM shows at each scope, or is answered with; nothing elsewhere. */
function reading(
  lists: Readonly<Record<string, readonly RoleGrant[] | Error>>,
  noGroups: readonly string[] | Error = [],
) {
  const asked: string[] = [];
  const about: string[][] = [];
  const services = {
    localRoles: {
      grantsAt: async (_: unknown, scope: string) => {
        asked.push(scope);
        const list = lists[scope] ?? [];
        if (list instanceof Error) throw list;
        return [...list];
      },
    },
    principals: {
      noGroups: async (who: ReadonlySet<string>) => {
        about.push([...who]);
        if (noGroups instanceof Error) throw noGroups;
        return new Set(noGroups);
      },
    },
  };

  const reader = createLocalAccessReader(HSM, services, undefined);
  const look = async (name: string) =>
    checkIdentityAccess(account, { vaultId: HSM.id, name }, await reader.ofKey(name)).ready;

  return { asked, about, reader, look };
}

describe('the type of a principal with a local role', () => {
  const others = (key: string) => [grant({ principalId: `holder-of-${key}`, scope: `/keys/${key}` })];
  const lists = { '/keys/a': others('a'), '/keys/b': others('b') };

  it('The type of a principal with a local role is read once for the keys with the same principals', async () => {
    const { asked, about, look } = reading(lists, ['holder-of-a', 'holder-of-b']);
    expect([await look('a'), await look('a'), await look('b')]).toEqual([false, false, false]);
    expect(about).toEqual([['holder-of-a'], ['holder-of-b']]);
    expect(asked).toEqual(['/', '/keys', '/keys/a', '/keys/b']);
  });

  it('The type of a principal with a local role stays unknown without an answer, which is reported', async () => {
    const { reader, look } = reading(lists, FORBIDDEN);
    expect(await look('a')).toBe('unknown');
    const { missing } = checkIdentityAccess(account, { vaultId: HSM.id, name: 'b' }, await reader.ofKey('b'));
    expect(missing).toEqual([expect.stringContaining('403 Refused: Not authorized')]);
  });
});
