import { beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_CONTAINER } from '../../src/audit/audit-client.ts';
import { CONTROL_TABLE, FLEET_TABLE } from '../../src/index/fleet-table-client.ts';
import { CONTROL_CONTAINER } from '../../src/orders/standing-orders-client.ts';
import { LEASE_CONTAINER } from '../../src/work/lease-client.ts';
import { WORK_QUEUES } from '../../src/work/messages.ts';
import { type DryAzure, nameOf } from './arm/dry-azure.ts';
import { dryRun, MAIN_PARAMETERS, mainWith } from './arm/templates.ts';
import { sources } from './sources.ts';

const ACCOUNTS = 'Microsoft.Storage/storageAccounts';
const POLICIES = `${ACCOUNTS}/blobServices/containers/immutabilityPolicies`;

let azure: DryAzure;
beforeAll(async () => {
  azure = await mainWith({});
});

/** What the accounts of such a name have. */
function parts(account: RegExp, from = azure) {
  const of = (type: string) =>
    from
      .ofType(`${ACCOUNTS}/${type}`)
      .filter(({ id }) => account.test(id))
      .map(({ id }) => nameOf(id))
      .sort();
  return [of('queueServices/queues'), of('tableServices/tables'), of('blobServices/containers')];
}

describe('the storage of the app', () => {
  it('The storage of the app has in the work zone the queues of the code with their poison queues, the index and the leases, and no more', () => {
    const queues = WORK_QUEUES.flatMap((queue) => [queue, `${queue}-poison`]).sort();
    expect(parts(/stcmkw/)).toEqual([queues, [FLEET_TABLE], [LEASE_CONTAINER]]);
  });

  it('The storage of the app has in the control zone the other table, every container of the code, and no queue', () => {
    const containers = ['app-package', AUDIT_CONTAINER, CONTROL_CONTAINER, 'cmk-deadletter', 'cmk-drift'];
    expect(parts(/stcmk(?!w)/)).toEqual([[], [CONTROL_TABLE], containers.sort()]);
    const named = sources('src').flatMap(({ text }) =>
      [...text.matchAll(/'(cmk-(?:audit|drift|deadletter|leases))'/g)].map((match) => match[1]),
    );
    expect(named).toContain(AUDIT_CONTAINER);
    expect([...containers, LEASE_CONTAINER]).toEqual(expect.arrayContaining(named));
  });

  it('The storage of the app has the audit trail in an account of its own on request, with its policy, and lets the app append', async () => {
    const three = await mainWith({ separateAuditStorage: true });
    expect(parts(/stcmka/, three)).toEqual([[], [], [AUDIT_CONTAINER]]);
    expect(parts(/stcmk(?![wa])/, three)[2]).not.toContain(AUDIT_CONTAINER);
    expect(three.ofType(POLICIES).map(({ id }) => id)).toEqual([expect.stringContaining('/storageAccounts/stcmka')]);
    expect(three.settings().CMK_AUDIT__blobServiceUri).toMatch(/^https:\/\/stcmka/);
    const given = three.ofType('Microsoft.Authorization/roleAssignments').map(({ id }) => id);
    expect(given.filter((id) => id.includes('/storageAccounts/stcmka'))).toEqual([
      expect.stringContaining(`/containers/${AUDIT_CONTAINER}/`),
    ]);
  });

  it('The storage of the app accepts no shared key, is not public, and is not encrypted with a key that a revocation disables', () => {
    const [properties] = azure.values(ACCOUNTS);
    expect(properties).toMatchObject({
      allowSharedKeyAccess: false,
      allowBlobPublicAccess: false,
      minimumTlsVersion: 'TLS1_2',
      supportsHttpsTrafficOnly: true,
      encryption: { keySource: 'Microsoft.Storage' },
    });
    expect(JSON.stringify(azure.values(ACCOUNTS))).not.toContain('keyvaultproperties');
  });

  it('The storage of the app lets the audit trail grow, and never change', () => {
    const [policy] = azure.ofType(POLICIES);
    expect(policy?.id).toContain(`/containers/${AUDIT_CONTAINER}/`);
    expect(policy?.body.properties).toEqual({
      immutabilityPeriodSinceCreationInDays: 365,
      allowProtectedAppendWrites: true,
    });
  });

  it('The storage of the app keeps an audit policy that is declared as locked, and fails if it is not', async () => {
    const deployOver = (state: string) => {
      const there = { [azure.ofType(POLICIES)[0]?.id ?? '']: { properties: { state } } };
      return dryRun('main', { ...MAIN_PARAMETERS, auditPolicyLocked: true }, { there });
    };
    expect((await deployOver('Locked')).azure.ofType(POLICIES)).toEqual([]);
    // The audit trail would be left without one.
    await expect(deployOver('Unlocked')).rejects.toThrow(/Unlocked.*Locked/);
  });

  it('The storage of the app deletes old reports and dead letters, and never the audit trail', () => {
    const rules = JSON.stringify(azure.values(`${ACCOUNTS}/managementPolicies`, 'policy', 'rules'));
    expect(rules).toContain('cmk-drift');
    expect(rules).not.toContain(AUDIT_CONTAINER);
  });
});
