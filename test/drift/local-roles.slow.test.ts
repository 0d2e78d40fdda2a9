import { beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { addAccount, addIdentity, addKeyVersion } from '../../local/azure/fleet.ts';
import { assignLocalRole, LOCAL_ROLES } from '../../local/azure/key-vault/local-access.ts';
import type { LocalRoleAssignment, StorageAccount, Vault } from '../../local/azure/world.ts';
import { FLEET_QUERY, handleFleet } from '../../src/api/fleet.ts';
import { verifyAccount } from '../../src/cli/procedures/account/account-verify.ts';
import type { WholeReport } from '../../src/drift/report/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { parseCallQuery } from '../../src/http/query.ts';
import type { FleetListAnswer } from '../../src/status/fleet-schemas.ts';
import { FleetSnapshots } from '../../src/status/fleet-snapshots.ts';
import { group, storageIdentity } from '../support/fleet.ts';
import { pasteLocalRole } from '../support/pasted.ts';
import { Procedures } from '../support/procedures.ts';
import { useWire } from '../support/wire.ts';
import { reconcileAll } from '../support/work-items.ts';
import { outsider } from './outsider.ts';

// The local roles of the sample fleet's Managed HSM, as its administrator removes and assigns them.
const wire = useWire();
const world = () => wire.azure.world;
const ROLES = 'roleAssignments';

function hsm(): Vault & { local: NonNullable<Vault['local']> } {
  const found = world().managedHsms.get('hsm-local');
  if (!found?.local) throw new Error('The sample fleet has it.');
  return Object.assign(found, { local: found.local });
}
function account(name = 'stvault01'): StorageAccount {
  const found = world().storageAccounts.get(name);
  if (!found) throw new Error(`There is no account ${name}.`);
  return found;
}

const services = () => wire.services({ CMK_AUTOFIX: 'none' });
const check = (): Promise<WholeReport> => runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services(), wire.log);
async function healthOf({ name }: StorageAccount = account()): Promise<string | undefined> {
  const call = { headers: new Headers(), reaches: () => true, snapshots: new FleetSnapshots(), nowMs: 0 };
  await reconcileAll(services(), wire.log);
  const { body } = await handleFleet(
    parseCallQuery(new URLSearchParams('vault=hsm-local'), FLEET_QUERY),
    call,
    services(),
  );
  const page = JSON.parse(String(body)) as FleetListAnswer;
  return page.value.find((one) => one.name === name)?.health.state;
}
const verify = async ({ name }: StorageAccount = account()) => {
  const { result } = await new Procedures(wire).run((operation) => verifyAccount({ account: name }, operation));
  return result.checks.find((one) => one.check === 'role on the key');
};
const about = ({ findings }: WholeReport, { id }: { id: string }) =>
  findings.filter(({ resource }) => resource.toLowerCase() === id.toLowerCase()).map(({ reason }) => reason);
const aboutHsm = ({ findings }: WholeReport) =>
  findings.filter(({ resource, severity }) => resource === hsm().id && severity !== 'advice');

/** Takes the roles of a principal away, as `az keyvault role assignment delete` does. */
async function takeAway(principalId: string): Promise<void> {
  for (const { name, scope } of [...hsm().local.roleAssignments.values()].filter(of(principalId))) {
    const path = `/${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`;
    await outsider(wire.azure).hsm('hsm-local', 'DELETE', path);
  }
}
const of = (principalId: string) => (one: LocalRoleAssignment) => one.principalId === principalId;

const MADE = ['sthsmkey', 'stsystem'];
let before: LocalRoleAssignment[];
beforeEach(() => {
  before ??= [...hsm().local.roleAssignments.values()];
  hsm().local.roleAssignments.clear();
  for (const one of before) hsm().local.roleAssignments.set(one.name, one);
  for (const name of MADE) world().storageAccounts.delete(name);
});

describe('an identity that loses its local role', () => {
  it('An identity that loses its local role is one cause with a command, and healthy once the command was run', async () => {
    const { principalId } = storageIdentity(world());

    expect(about(await check(), account())).toEqual([]);
    expect(await healthOf()).toBe('Serving');
    expect(await verify()).toMatchObject({ state: 'ok' });

    await takeAway(principalId);

    const report = await check();
    const causes = report.causes.filter(({ reason }) => reason === 'IdentityWithoutRole');

    expect(causes).toMatchObject([
      {
        severity: 'error',
        affected: 1,
        about: [expect.stringMatching(/\/id-storage$/), hsm().id],
        commands: [
          `az keyvault role assignment create --hsm-name hsm-local --role 'Managed HSM Crypto Service Encryption User' --assignee-object-id ${principalId} --assignee-principal-type ServicePrincipal --scope /keys`,
        ],
      },
    ]);

    expect(await healthOf()).toBe('NoAccess');
    expect(await verify()).toMatchObject({ state: 'failed', detail: expect.stringContaining('No local role at') });

    await pasteLocalRole(causes[0]?.commands[0] ?? '', outsider(wire.azure));

    expect(about(await check(), account())).toEqual([]);
    expect(await healthOf()).toBe('Serving');
    expect(await verify()).toMatchObject({ state: 'ok' });
  });

  it('An identity without a local role is distinguished from one that has it on the key alone, or by a custom role', async () => {
    const identity = addIdentity(world(), group(world()), 'id-hsm-key');
    const key = { vault: hsm(), keyName: 'key-alone', mode: 'pinned' } as const;

    addKeyVersion(world(), hsm(), 'key-alone');

    const { principalId } = identity;
    const role = { ...LOCAL_ROLES.encryptionUser, name: crypto.randomUUID(), type: 'CustomRole' } as const;

    hsm().local.roleDefinitions.set(role.name, role);

    const given = assignLocalRole(hsm().local, { principalId, role, scope: '/keys/key-alone' });
    const user = addAccount(world(), group(world()), { name: 'sthsmkey', identity, key });
    const other = addAccount(world(), group(world()), { name: 'stsystem', key: { ...key, keyName: 'vault-key' } });

    expect(about(await check(), user)).toEqual([]);

    // Another key's: the lists at / and /keys do not show it.
    hsm().local.roleAssignments.set(given.name, { ...given, scope: '/keys/vault-key' });

    const report = await check();
    expect([about(report, user), about(report, other)]).toEqual([['IdentityWithoutRole'], []]);
  });
});

it('unreadable roles make the health unknown, with the right that the app lacks, and no account loses access', async () => {
  await takeAway(storageIdentity(world()).principalId);

  const body = { error: { code: 'AccessDenied', message: 'Not authorized to access' } };

  wire.azure.faults.add([{ match: { host: 'hsm-local.*', path: ROLES }, answer: { status: 403, body } }]);

  const report = await check();
  expect(about(report, account())).toEqual([]);
  expect(report.complete).toBe(false);

  const lacking = aboutHsm(report);
  expect(lacking.map(({ reason }) => reason).sort()).toEqual(['MissingPermission', 'Unreadable']);
  expect(JSON.stringify(lacking)).toContain('Microsoft.KeyVault/managedHsm/roleAssignments/read/action');
  expect(await healthOf()).toBe('Unknown');
  expect(await verify()).toMatchObject({ state: 'unknown', detail: expect.stringContaining('AccessDenied') });
});

it('a missing local role of the app is reported by its name in a Managed HSM', async () => {
  const app = world().principals.get(CLIENT_IDS.appUserAssigned)?.objectId ?? '';
  await takeAway(app);
  const missing = aboutHsm(await check()).filter(({ reason }) => reason === 'MissingPermission');
  expect(missing.map(({ shouldBe }) => shouldBe).sort()).toEqual([
    "The app's identity has Microsoft.KeyVault/managedHsm/keys/read/action.",
    "The app's identity has Microsoft.KeyVault/managedHsm/roleAssignments/read/action.",
  ]);
  expect(JSON.stringify((await check()).findings)).not.toContain('Microsoft.KeyVault/vaults/keys');
});
