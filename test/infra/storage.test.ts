import { beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_CONTAINER } from '../../src/audit/audit-client.ts';
import { CONTROL_TABLE, FLEET_TABLE } from '../../src/fleet/fleet-table-client.ts';
import { CONTROL_CONTAINER } from '../../src/orders/standing-orders-client.ts';
import { LEASE_CONTAINER } from '../../src/work/lease-client.ts';
import { WORK_QUEUES } from '../../src/work/messages.ts';
import type { DryAzure } from './arm/dry-azure.ts';
import { at } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS } from './arm/templates.ts';
import { sources } from './sources.ts';

let azure: DryAzure;
let deadLetterContainers: unknown[];
const parts = (account: RegExp, from = azure) => {
  const of = (type: string) =>
    from
      .ofType(`Microsoft.Storage/storageAccounts/${type}`)
      .filter(({ id }) => account.test(id))
      .map(({ id }) => id.slice(id.lastIndexOf('/') + 1));
  return {
    queues: of('queueServices/queues'),
    tables: of('tableServices/tables'),
    containers: of('blobServices/containers'),
  };
};
const names = (type: string): string[] => azure.ofType(type).map(({ id }) => id.slice(id.lastIndexOf('/') + 1));

beforeAll(async () => {
  const main = await dryRun('main', MAIN_PARAMETERS);
  azure = main.azure;
  const events = await dryRunEvents(main.outputs);
  deadLetterContainers = events.azure
    .ofType('Microsoft.EventGrid/systemTopics/eventSubscriptions')
    .map(({ body }) =>
      at(
        body,
        'properties',
        'deadLetterWithResourceIdentity',
        'deadLetterDestination',
        'properties',
        'blobContainerName',
      ),
    );
});

describe('the storage of the app', () => {
  it('has in the work zone every queue that the code names, with its poison queue, the index and the leases, and no more', () => {
    const needed = WORK_QUEUES.flatMap((queue) => [queue, `${queue}-poison`]);
    const work = parts(/stcmkw/);
    expect(work.queues.sort()).toEqual(needed.sort());
    expect([work.tables, work.containers]).toEqual([[FLEET_TABLE], [LEASE_CONTAINER]]);
  });

  it('has in the control zone the other tables and containers, and no queue', () => {
    const { queues, tables, containers } = parts(/stcmk(?!w)/);
    expect([queues, tables]).toEqual([[], [CONTROL_TABLE]]);
    expect(containers).toEqual(expect.arrayContaining(['app-package', CONTROL_CONTAINER, AUDIT_CONTAINER]));
    expect(containers).not.toContain(LEASE_CONTAINER);
  });

  it('puts the audit trail into an account of its own where that is asked for, with its policy, and lets the app append', async () => {
    const { azure: three } = await dryRun('main', { ...MAIN_PARAMETERS, separateAuditStorage: true });
    expect(parts(/stcmka/, three)).toEqual({ queues: [], tables: [], containers: [AUDIT_CONTAINER] });
    expect(parts(/stcmk(?![wa])/, three).containers).not.toContain(AUDIT_CONTAINER);
    const policies = three.ofType('Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies');
    expect(policies.map(({ id }) => id)).toEqual([expect.stringContaining('/storageAccounts/stcmka')]);
    const settings = three.ofType('Microsoft.Web/sites/config').find(({ id }) => id.endsWith('/appsettings'));
    expect(at(settings?.body, 'properties', 'CMK_AUDIT__blobServiceUri')).toMatch(/^https:\/\/stcmka/);
    const given = three
      .ofType('Microsoft.Authorization/roleAssignments')
      .filter(({ id }) => id.includes('/storageAccounts/stcmka'));
    expect(given.map(({ id }) => id)).toEqual([expect.stringContaining(`/containers/${AUDIT_CONTAINER}/`)]);
  });

  it('has every container that the code names, and the one for dead letters', () => {
    const named = sources('src').flatMap(({ text }) =>
      [...text.matchAll(/'(cmk-(?:audit|drift|deadletter|leases))'/g)].map((match) => match[1]),
    );
    expect(named).toContain(AUDIT_CONTAINER);
    const containers = names('Microsoft.Storage/storageAccounts/blobServices/containers');
    expect(containers).toEqual(expect.arrayContaining([...named, ...deadLetterContainers]));
    expect([...containers].sort()).toEqual([
      'app-package',
      'cmk-audit',
      'cmk-control',
      'cmk-deadletter',
      'cmk-drift',
      'cmk-leases',
    ]);
  });

  it('takes no shared key and shows nothing to the public', () => {
    expect(at(azure.ofType('Microsoft.Storage/storageAccounts')[0]?.body, 'properties')).toMatchObject({
      allowSharedKeyAccess: false,
      allowBlobPublicAccess: false,
      minimumTlsVersion: 'TLS1_2',
      supportsHttpsTrafficOnly: true,
    });
  });

  it('is encrypted with Microsoft-managed keys, so that a revocation cannot lock the app out', () => {
    const encryption = at(azure.ofType('Microsoft.Storage/storageAccounts')[0]?.body, 'properties', 'encryption');
    expect(encryption).toMatchObject({ keySource: 'Microsoft.Storage' });
    expect(encryption).not.toHaveProperty('keyvaultproperties');
  });

  it('lets the audit trail grow, and nothing in it change', () => {
    const [policy] = azure.ofType('Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies');
    expect(policy?.id).toContain(`/containers/${AUDIT_CONTAINER}/`);
    expect(policy?.body.properties).toEqual({
      immutabilityPeriodSinceCreationInDays: 365,
      allowProtectedAppendWrites: true,
    });
  });

  describe('told that the audit policy is locked', () => {
    const POLICY = 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies';
    const deployOver = (state: string) => {
      const id = azure.ofType(POLICY)[0]?.id ?? '';
      return dryRun(
        'main',
        { ...MAIN_PARAMETERS, auditPolicyLocked: true },
        { there: { [id]: { properties: { state } } } },
      );
    };

    it('leaves it alone', async () => {
      const { azure: locked } = await deployOver('Locked');
      expect(locked.ofType(POLICY)).toEqual([]);
    });

    it('stops where it is not: the audit trail would be left without one', async () => {
      await expect(deployOver('Unlocked')).rejects.toThrow(/Unlocked.*Locked/);
    });
  });

  it('deletes old reports and dead letters, and never the audit trail', () => {
    const rules = at(
      azure.ofType('Microsoft.Storage/storageAccounts/managementPolicies')[0]?.body,
      'properties',
      'policy',
      'rules',
    );
    expect(JSON.stringify(rules)).toContain('cmk-drift');
    expect(JSON.stringify(rules)).not.toContain(AUDIT_CONTAINER);
  });
});
