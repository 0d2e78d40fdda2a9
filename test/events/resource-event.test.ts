import { describe, expect, it } from 'vitest';
import { parseResourceEvent, WATCHED_OPERATIONS } from '../../src/events/resource-event.ts';
import { ManagedVaults } from '../../src/keys/managed-vaults.ts';
import { CLIENT_ID, NOW, VAULT } from '../drift/checks/subjects.ts';

const SUBSCRIPTION = VAULT.subscriptionId;
const OBJECT_ID = '22222222-2222-2222-2222-222222222222';
const CALLER = '44444444-4444-4444-4444-444444444444';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourcegroups/rg-files`;
const ACCOUNT = `${GROUP}/providers/Microsoft.Storage/storageAccounts/stfiles01`;
const DISK_SET = `${GROUP}/providers/Microsoft.Compute/diskEncryptionSets/des1`;
const SQL = `${GROUP}/providers/Microsoft.Sql/servers/sql1`;
const DISK_SET_WRITE = 'Microsoft.Compute/diskEncryptionSets/write';
const ROLE = '/providers/Microsoft.Authorization/roleAssignments/x';
const ROLE_WRITE = 'Microsoft.Authorization/roleAssignments/write';
const RULES = {
  vaults: new ManagedVaults([VAULT]),
  subscriptions: [SUBSCRIPTION],
  clientId: CLIENT_ID,
  now: () => NOW,
};

interface Change {
  readonly subject?: string;
  readonly operation?: unknown;
  readonly claims?: unknown;
  readonly [field: string]: unknown;
}

function event({ subject = ACCOUNT, operation, claims, ...fields }: Change = {}) {
  return {
    id: 'e1',
    source: `/subscriptions/${SUBSCRIPTION}`,
    subject,
    time: '2026-06-01T11:59:58.1234567Z',
    type: 'Microsoft.Resources.ResourceWriteSuccess',
    data: {
      operationName: operation ?? 'Microsoft.Storage/storageAccounts/write',
      correlationId: 'c1',
      claims: claims ?? {
        appid: CALLER,
        name: 'Terry',
        ipaddr: '203.0.113.7',
        'http://schemas.microsoft.com/identity/claims/objectidentifier': OBJECT_ID,
        'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn': 'terry@example.com',
      },
    },
    ...fields,
  };
}
const parse = (change?: Change) => parseResourceEvent(event(change), RULES);

describe('an event of a subscription', () => {
  it('An event of a subscription has the place, author and time of a change, and no other data of the caller', () => {
    expect(parse()).toEqual({
      id: 'e1',
      concern: 'account',
      at: ACCOUNT,
      changedBy: {
        objectId: OBJECT_ID,
        name: 'Terry',
        client: CALLER,
        on: '2026-06-01T11:59:58.123Z',
        operation: 'Microsoft.Storage/storageAccounts/write',
        resource: ACCOUNT,
        correlationId: 'c1',
        confirmed: false,
      },
    });
  });

  it('An event of a subscription is parsed in the Event Grid schema too, whatever the letter case of the operation', () => {
    const { type, time, ...rest } = event({ operation: 'MICROSOFT.STORAGE/storageaccounts/WRITE' });
    const old = { ...rest, eventType: type, eventTime: time };
    expect(parseResourceEvent(old, RULES)?.changedBy.operation).toBe('Microsoft.Storage/storageAccounts/write');
  });

  it.each([[[]], ['text'], [{}], [{ appid: 7, name: '' }]])(
    'An event of a subscription may lack its caller: %j',
    (claims) => {
      const { changedBy } = parse({ claims }) ?? {};
      expect(changedBy).toMatchObject({ objectId: undefined, confirmed: false });
    },
  );

  it.each([
    ['nothing', undefined],
    ['a text', 'event'],
    ['one without data', { id: 'e1', type: 'Microsoft.Resources.ResourceWriteSuccess' }],
    ['one of an action', event({ type: 'Microsoft.Resources.ResourceActionSuccess' })],
    ['one of another operation', event({ operation: 'Microsoft.Compute/virtualMachines/write' })],
    ['one whose operation is no text', event({ operation: { $ne: '' } })],
    [
      'one whose subject is of another type',
      event({ subject: `${GROUP}/providers/Microsoft.Compute/disks/d1`, operation: DISK_SET_WRITE }),
    ],
    ['one of a key user elsewhere', event({ subject: DISK_SET.replaceAll('1', '9'), operation: DISK_SET_WRITE })],
    ['one of another subscription', event({ subject: ACCOUNT.replaceAll('1', '9') })],
    ['one of a path that leads elsewhere', event({ subject: ACCOUNT.replace('stfiles01', '..') })],
    ["one of the app's own write", event({ claims: { appid: CLIENT_ID.toUpperCase() } })],
    ['one of a role on another vault', event({ subject: `${VAULT.id}-other${ROLE}`, operation: ROLE_WRITE })],
    ['one of a role on an account', event({ subject: `${ACCOUNT}${ROLE}`, operation: ROLE_WRITE })],
  ])('An event of a subscription is dropped without a read if it is %s', (_, foreign) => {
    expect(parseResourceEvent(foreign, RULES)).toBeUndefined();
  });

  it.each([
    ['encryptionScopes/write', `${ACCOUNT}/encryptionScopes/s1`, 'account', ACCOUNT],
    ['vaults/accessPolicies/write', `${VAULT.id}/accessPolicies/add`, 'vault', VAULT.id],
    ['roleAssignments/delete', `${VAULT.id}${ROLE}`, 'vault', VAULT.id],
    ['roleAssignments/write', `/subscriptions/${SUBSCRIPTION}${ROLE}`, 'vault', `/subscriptions/${SUBSCRIPTION}`],
    ['resourceGroups/delete', GROUP, 'group', GROUP],
    [
      'systemTopics/delete',
      `${GROUP}/providers/Microsoft.EventGrid/systemTopics/t`,
      'vault',
      `/subscriptions/${SUBSCRIPTION}`,
    ],
    ['diskEncryptionSets/write', DISK_SET, 'keyUser', DISK_SET],
    ['servers/encryptionProtector/write', `${SQL}/encryptionProtector/current`, 'keyUser', SQL],
    [
      'networkSecurityPerimeters/resourceAssociations/delete',
      `${GROUP}/providers/Microsoft.Network/networkSecurityPerimeters/p/resourceAssociations/a`,
      'perimeter',
      '/subscriptions',
    ],
  ])('An event of %s concerns the parent resource', (ending, subject, concern, at) => {
    const operation = WATCHED_OPERATIONS.flat().find((name) => name.endsWith(`/${ending}`));
    expect(parse({ subject, operation })).toMatchObject({ concern, at });
  });

  it('An event of a subscription has the current time if its own is in the future', () => {
    expect(parse({ time: '2027-01-01T00:00:00Z' })?.changedBy.on).toBe(NOW.toISOString());
  });
});

it('the operations, with the client id of the app, fit the 25 values that an event subscription may have', () => {
  expect(Math.max(...WATCHED_OPERATIONS.map((list) => list.length + 1))).toBeLessThanOrEqual(25);
});
