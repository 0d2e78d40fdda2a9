import { beforeAll, describe, expect, it } from 'vitest';
import { addAccount } from '../../local/azure/fleet.ts';
import type { Principal, ResourceGroup, StorageAccount } from '../../local/azure/world.ts';
import { cmk, startCmk } from '../support/cmk.ts';
import { eventually } from '../support/eventually.ts';
import { unique, useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();

interface Start {
  readonly group: ResourceGroup;
  readonly account: StorageAccount;
  readonly admin: Principal;
  readonly vault: string;
  readonly identity: string;
  readonly args: readonly string[];
}

/** An account, and somebody who may do everything but use keys: the roles have to be given first. */
function start(): Start {
  const group = procedures.group();
  const account = addAccount(procedures.world, group, { name: unique('st'), shares: ['share1'] });
  const admin = procedures.somebodyWith(group.id, 'Owner', 'Storage File Data Privileged Reader');
  const [vault, identity] = [unique('kv-'), unique('id-')];
  const args = ['account', 'onboard', account.name, '--vault', vault, '--key', 'files-key', '--identity', identity];
  return { group, account, admin, vault, identity, args };
}

/** Everything that onboarding makes, without the names and ids that differ from one run to the next. */
function state({ group, account, admin, vault, identity }: Start): unknown {
  const { vaults, identities, roleAssignments } = procedures.world;
  const made = vaults.get(vault);
  const principal = [...identities.values()].find(({ name }) => name === identity);
  const rolesOf = (principalId: string | undefined) =>
    [...roleAssignments.values()]
      .filter((assignment) => assignment.principalId === principalId && assignment.scope !== group.id)
      .map(({ scope, roleDefinitionId }) => `${scope} ${roleDefinitionId.split('/').at(-1)}`);
  const text = JSON.stringify({
    vault: made && {
      ...made.properties,
      keys: [...made.keys.values()].map((key) => [
        key.versions.map((v) => [v.kty, v.keySize, v.enabled, v.tags, v.exp !== undefined]),
        key.rotationPolicy?.lifetimeActions,
      ]),
    },
    identities: [...identities.values()].filter(({ id }) => id.startsWith(group.id)).map(({ name }) => name),
    roles: [rolesOf(admin.objectId), rolesOf(principal?.principalId)],
    account: { identity: account.identity, encryption: account.encryption },
  });
  const names: [string | undefined, string][] = [
    [group.name, '<group>'],
    [account.name, '<account>'],
    [vault, '<vault>'],
    [identity, '<identity>'],
    [principal?.principalId, '<principal>'],
    [principal?.clientId, '<client>'],
    [made?.keys.get('files-key')?.versions[0]?.version, '<version>'],
  ];
  const neutral = names.reduce((now, [name, neutralName]) => (name ? now.replaceAll(name, neutralName) : now), text);
  return JSON.parse(neutral.replace(/"20\d\d-\d\d-\d\dT[\d:.]+Z"/g, '"<time>"'));
}

/** The requests that change something, in order. */
const STEPS = [
  ['the vault is created', 'PUT', (s: Start) => `/vaults/${s.vault}\\?`],
  [
    'the operator is given the right to manage keys',
    'PUT',
    (s: Start) => `/vaults/${s.vault}/providers/Microsoft.Authorization/roleAssignments/`,
  ],
  ['the key is created', 'POST', () => '/keys/files-key/create'],
  ['its rotation policy is set', 'PUT', () => '/keys/files-key/rotationpolicy'],
  ['the identity is created', 'PUT', (s: Start) => `/userAssignedIdentities/${s.identity}\\?`],
  [
    'the identity is given its role',
    'PUT',
    (s: Start) => `/vaults/${s.vault}/providers/Microsoft.Authorization/roleAssignments/`,
  ],
  ['the account is encrypted', 'PATCH', (s: Start) => `/storageAccounts/${s.account.name}\\?`],
] as const;

let undisturbed: unknown;
beforeAll(async () => {
  const site = start();
  await cmk(procedures.local, site.args, { as: site.admin });
  undisturbed = state(site);
});

describe('cmk account onboard', () => {
  it('does everything in one go, and nothing the second time', async () => {
    const site = start();
    const first = await cmk(procedures.local, site.args, { as: site.admin });
    expect(first).toMatchObject({ code: 0 });
    const done = first.output.split('\n').filter((line) => line.startsWith('done\t'));
    expect(done).toHaveLength(STEPS.length);
    expect(first.output).toContain('ok\tfile service\tshare share1 is served');

    const writes = await procedures.writes(async () => {
      const second = await cmk(procedures.local, site.args, { as: site.admin });
      expect(second).toMatchObject({ code: 0 });
      expect(second.output).not.toContain('done\t');
    });
    expect(writes).toEqual([]);
  });

  // One of each kind of request: to Resource Manager, to Key Vault, to Storage, which repeats nothing unseen.
  const KILLED = /^(the vault is created|its rotation policy is set|the account is encrypted)$/;
  it.each(STEPS.filter(([what]) => KILLED.test(what)))(
    'killed after %s, unanswered, and run again ends in the same state',
    async (what, method, path) => {
      const site = start();
      const host = path(site).startsWith('/keys/') ? `${site.vault}.vault.azure.net` : 'management.azure.com';
      procedures.local.faults.add([{ match: { host, method, path: path(site) }, times: 1, resetAfter: true }]);
      const child = startCmk(procedures.local, site.args, { as: site.admin });
      await eventually(`the request that is killed (${what})`, () => procedures.local.faults.list().length === 0);
      child.process.kill('SIGKILL');
      // A write of Storage is not repeated unseen: without its answer the command may have ended by itself, saying so.
      expect(['SIGKILL', 5]).toContain(await child.exit);
      procedures.local.faults.clear();

      const again = await cmk(procedures.local, site.args, { as: site.admin });
      expect(again).toMatchObject({ code: 0 });
      expect(state(site)).toEqual(undisturbed);
    },
  );
});
