import { beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_IDS } from '../../../local/azure/constants.ts';
import { addKeyVersion, addResourceGroup, addSubscription, addVault } from '../../../local/azure/fleet.ts';
import { resolved } from '../../../local/azure/storage/apply-encryption.ts';
import { newAccount } from '../../../local/azure/storage/new-account.ts';
import type { ResourceGroup, Vault, World } from '../../../local/azure/world.ts';
import { useLocalAzure } from '../../support/local-azure.ts';
import { comparable, type Interaction, learn, recording, translate } from './recording.ts';

const local = useLocalAzure({ settings: { instantProvisioning: false } });

/** What the recorded run had before its first request, or came by between two of them. */
interface Scene {
  before(world: World, group: ResourceGroup, names: Map<string, string>): void;
  groupName: string;
  /** By index of the interaction that follows. */
  between?: Record<number, (world: World, names: Map<string, string>) => void>;
}

/** A vault as az 2.35 made them: access policies, soft delete for a week, no purge protection unless it is asked for. */
function policyVault(
  world: World,
  group: ResourceGroup,
  name: string,
  principals: { id: string; keys: string[] }[],
  extra: object = {},
): Vault {
  const vault = addVault(world, group, name, {
    softDeleteRetentionInDays: 7,
    accessPolicies: principals.map(({ id, keys }) => ({
      tenantId: world.tenantId,
      objectId: id,
      permissions: { keys },
    })),
    ...extra,
  });
  delete vault.properties.enableRbacAuthorization;
  if (!('enablePurgeProtection' in extra)) delete vault.properties.enablePurgeProtection;
  return vault;
}

function owner(world: World): { id: string; keys: string[] } {
  return { id: world.principals.get(CLIENT_IDS.owner)?.objectId ?? '', keys: ['all'] };
}

const scenes: Record<string, Scene> = {
  storage_customer_managed_key: {
    groupName: 'clitest.rg000001',
    before(world, group, names) {
      const principalId = 'b1e58793-5581-4912-ab56-3ec054a4363e';
      const policy = { id: principalId, keys: ['get', 'wrapKey', 'unwrapKey'] };
      const vault = policyVault(world, group, 'clitest000003', [policy], { enablePurgeProtection: true });
      const version = addKeyVersion(world, vault, 'testkey');
      const other = addKeyVersion(world, vault, 'newkey');
      names.set('a3765bbe879f43c68ccb74415785bfcb', version.version);
      names.set('015fdecac7854435935638e021b60803', other.version);
      const id = `${group.id}/providers/Microsoft.Storage/storageAccounts/clitest000002`;
      const account = newAccount(
        { id, name: 'clitest000002', location: 'southcentralus', kind: 'Storage', apiVersion: '2021-09-01' },
        world.clock.nowMs(),
      );
      account.identity = { principalId, tenantId: world.tenantId, type: 'SystemAssigned' };
      const reference = { vaultUri: vault.properties.vaultUri, keyName: 'testkey', version: undefined };
      account.encryption.keySource = 'Microsoft.Keyvault';
      account.encryption.keyvaultproperties = {
        ...resolved(world, reference, version),
        keyvaulturi: reference.vaultUri,
        keyname: 'testkey',
      };
      world.storageAccounts.set(account.name, account);
    },
  },
  storage_user_assigned_identity_cmk: {
    groupName: 'clitest.rg000001',
    before(world, group) {
      const vault = policyVault(world, group, 'clitest000002', [], { enablePurgeProtection: true });
      addKeyVersion(world, vault, 'testkey');
    },
    between: {
      1(world) {
        const identity = [...world.identities.values()].find(({ name }) => name === 'id000006');
        const vault = world.vaults.get('clitest000002');
        if (!identity || !vault) throw new Error('The recording made the identity first.');
        vault.properties.accessPolicies = [
          { objectId: identity.principalId, permissions: { keys: ['get', 'wrapKey', 'unwrapKey'] } },
        ];
      },
    },
  },
  keyvault_vault: {
    groupName: 'clitest.rg000001',
    before(world, group) {
      addResourceGroup(
        world,
        { subscriptionId: '00000000-0000-0000-0000-000000000000', displayName: '', state: 'Enabled' },
        'cli_test_keyvault_mgmt000001',
      );
      void group;
    },
    between: {
      3(world) {
        world.vaults.delete('clitest000003');
        const group = world.resourceGroups.get(
          '/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/clitest.rg000001',
        );
        if (!group) throw new Error('The group is there from the start.');
        policyVault(world, { ...group, location: 'southcentralus' }, 'clitest000003', [], {
          accessPolicies: [
            {
              tenantId: world.tenantId,
              objectId: 'a7250e3a-0e5e-48e2-9a34-45f1f5e1a91e',
              permissions: { keys: ['all'], secrets: ['all'], certificates: ['all'], storage: ['all'] },
            },
            {
              tenantId: world.tenantId,
              objectId: 'b1e58793-5581-4912-ab56-3ec054a4363e',
              permissions: { keys: ['get', 'recover', 'wrapKey', 'unwrapKey'] },
            },
          ],
        });
      },
    },
  },
  keyvault_key: {
    groupName: 'cli_test_keyvault_key000001',
    before(world, group, names) {
      const vault = policyVault(world, group, 'cli-test-kv-key-000002', [owner(world)]);
      const first = addKeyVersion(world, vault, 'key1-000004');
      addKeyVersion(world, vault, 'key2-000005');
      names.set('7a0f51e485c2496ebd06a1f3eedc9061', first.version);
    },
  },
  keyvault_key_rotation: {
    groupName: 'cli_test_keyvault_key000001',
    before(world, group) {
      policyVault(world, group, 'cli-test-kv-key-000002', [owner(world)]);
    },
  },
  eventgrid_system_topic: {
    groupName: 'devexprg',
    before(world, group) {
      const id = `${group.id}/providers/Microsoft.Storage/storageAccounts/clistgaccount`;
      world.storageAccounts.set(
        'clistgaccount',
        newAccount({ id, name: 'clistgaccount', location: 'centraluseuap' }, world.clock.nowMs()),
      );
    },
    between: {
      // The last pair is of another run, whose group did not exist.
      5: (world) => world.resourceGroups.clear(),
    },
  },
};

function token(uri: string): string {
  const { world, tokens } = local.azure;
  const principal = world.principals.get(CLIENT_IDS.owner);
  if (!principal) throw new Error('The tenant has an owner.');
  const resource = uri.includes('.vault.azure.net') ? 'https://vault.azure.net' : 'https://management.azure.com';
  return tokens.issue(principal, resource).token;
}

async function send({ request }: Interaction, uri: string, names: Map<string, string>): Promise<Response> {
  const body =
    typeof request.body === 'object' && request.body !== null
      ? translate(JSON.stringify(request.body), names)
      : undefined;
  return fetch(uri, {
    method: request.method,
    headers: {
      ...(request.headers?.authorization === null || uri.includes('#anonymous')
        ? {}
        : { authorization: `Bearer ${token(uri)}` }),
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body } : {}),
  });
}

beforeEach(() => {
  const { world, faults } = local.azure;
  faults.clear();
  for (const map of [
    world.resourceGroups,
    world.vaults,
    world.storageAccounts,
    world.identities,
    world.eventSubscriptions,
    world.systemTopics,
  ])
    map.clear();
  addSubscription(world, { subscriptionId: '00000000-0000-0000-0000-000000000000' });
});

describe.each(Object.entries(scenes))('the recording %s', (name, scene) => {
  it('is answered like the real service, but for ids and times', async () => {
    const { world, faults } = local.azure;
    const names = new Map<string, string>();
    const group = addResourceGroup(
      world,
      { subscriptionId: '00000000-0000-0000-0000-000000000000', displayName: '', state: 'Enabled' },
      scene.groupName,
      'southcentralus',
    );
    scene.before(world, group, names);
    for (const [index, interaction] of recording(name).entries()) {
      scene.between?.[index]?.(world, names);
      const { request, response: recorded } = interaction;
      if (recorded.status === 500) {
        faults.add([{ match: { method: request.method }, times: 1, answer: { status: 500, body: recorded.body } }]);
      }
      const challenge = recorded.status === 401;
      const prose = prosePut(request.body);
      const uri = translate(request.uri, names);
      const answer = await send(
        {
          ...interaction,
          request: {
            ...request,
            body: prose ?? request.body,
            ...(challenge ? { headers: { authorization: null } } : {}),
          },
        },
        uri,
        names,
      );
      const body = await answer.text();
      const where = `${index}: ${interaction.command}`;
      expect([where, answer.status]).toEqual([where, recorded.status]);
      if (recorded.status === 202) {
        names.set(String(recorded.headers?.location), answer.headers.get('location') ?? '');
      }
      const operation = answer.headers.get('azure-asyncoperation');
      if (operation)
        names.set(
          String(recorded.headers?.['azure-asyncoperation']).replace(':443', ''),
          operation.replace(':443', ''),
        );
      if (challenge)
        expect(answer.headers.get('www-authenticate')).toMatch(
          /^Bearer authorization="https:\/\/login\.[^"]+", resource="https:\/\/vault\.azure\.net"$/,
        );
      if (typeof recorded.body === 'string') continue; // prose: the recording was not read that far
      if (recorded.body === null || recorded.body === undefined) {
        expect(body).toBe('');
        continue;
      }
      const parsed: unknown = JSON.parse(body);
      learn(recorded.body, parsed, names);
      expect([where, comparable(parsed)]).toEqual([where, comparable(elided(recorded.body, parsed))]);
    }
  });
});

/** The one request whose body is told in prose, in JSON. */
function prosePut(body: unknown): unknown {
  if (typeof body !== 'string') return undefined;
  return {
    location: 'southcentralus',
    properties: {
      tenantId: local.azure.world.tenantId,
      sku: { family: 'A', name: 'standard' },
      accessPolicies: [{ objectId: 'a7250e3a-0e5e-48e2-9a34-45f1f5e1a91e', permissions: { keys: ['all'] } }],
    },
  };
}

/** An answer in which "…" stands for what was not written down: there, what we answered counts as right. */
function elided(recorded: unknown, ours: unknown): unknown {
  if (Array.isArray(recorded) && recorded[0] === '…') return ours;
  if (Array.isArray(recorded))
    return recorded.map((item, index) => elided(item, Array.isArray(ours) ? ours[index] : undefined));
  if (typeof recorded !== 'object' || recorded === null) return recorded;
  const held = (typeof ours === 'object' && ours !== null ? ours : {}) as Record<string, unknown>;
  // These recordings are older than the field, which lists have had since ("more" has them).
  const later = 'recoveryLevel' in recorded && held.exportable === false ? { exportable: false } : {};
  return Object.fromEntries(
    Object.entries({ ...later, ...recorded }).map(([field, value]) => [field, elided(value, held[field])]),
  );
}
