import { beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_CONTAINER } from '../../src/audit/container-name.ts';
import { AUDIT_TABLE } from '../../src/audit/last-head-client.ts';
import { FLEET_TABLE } from '../../src/fleet/fleet-table-client.ts';
import { CONTROL_TABLE } from '../../src/fleet/rollout-store-client.ts';
import { WORK_QUEUES } from '../../src/work/messages.ts';
import type { DryAzure } from './arm/dry-azure.ts';
import { at } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS } from './arm/templates.ts';
import { sources } from './sources.ts';

let azure: DryAzure;
let deadLetterContainers: unknown[];
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
  it('has every queue that the code names, with its poison queue', () => {
    const needed = WORK_QUEUES.flatMap((queue) => [queue, `${queue}-poison`]);
    expect(names('Microsoft.Storage/storageAccounts/queueServices/queues').sort()).toEqual(needed.sort());
  });

  it('has the tables that the code names', () => {
    const tables = names('Microsoft.Storage/storageAccounts/tableServices/tables');
    expect(tables).toEqual([FLEET_TABLE, CONTROL_TABLE, AUDIT_TABLE]);
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
      'cmk-approvals',
      'cmk-audit',
      'cmk-audit-heads',
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
