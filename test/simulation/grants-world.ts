import type { Account } from '../../src/accounts/account.ts';
import { Journal } from '../../src/audit/journal.ts';
import { CLOUDS, type Cloud } from '../../src/azure/cloud.ts';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import { revokeAccount } from '../../src/cli/procedures/account/account-break-glass.ts';
import type { Azure } from '../../src/cli/procedures/operator-azure.ts';
import { readVaultRoles } from '../../src/drift/gather/vault-roles.ts';
import { CmkError } from '../../src/errors/errors.ts';
import { createAccessReader } from '../../src/identities/check-key-access.ts';
import { checkIdentityAccess, type KeyAccess } from '../../src/identities/key-access.ts';
import { type ManagedVault, parseManagedVault } from '../../src/keys/managed-vaults.ts';
import type { KeyPolicy, VaultProperties } from '../../src/vaults/vault-client.ts';
import type { World } from './explore.ts';
import { Scheduler } from './scheduler.ts';
import { type Answer, type Assignment, type Place, Tenant } from './tenant.ts';

const CLOUD = CLOUDS[0] as Cloud;
const SUBSCRIPTION = '11111111-1111-4111-8111-111111111111';
const OTHER_SUBSCRIPTION = '22222222-2222-4222-8222-222222222222';
const GROUPS = '/providers/Microsoft.Management/managementGroups';

const under = (above: Place, id: string): Place => ({ id, above });

const ROOT: Place = { id: '/', above: undefined };
const TENANT = under(ROOT, `${GROUPS}/33333333-3333-4333-8333-333333333333`);
const CORP = under(TENANT, `${GROUPS}/corp`);
const SANDBOX = under(TENANT, `${GROUPS}/corp-sandbox`);
const OURS = under(CORP, `/subscriptions/${SUBSCRIPTION}`);
const THEIRS = under(SANDBOX, `/subscriptions/${OTHER_SUBSCRIPTION}`);
const GROUP = under(OURS, `${OURS.id}/resourceGroups/rg-keys`);
const GROUP_2 = under(OURS, `${OURS.id}/resourceGroups/rg-keys-2`);
const vaultIn = (group: Place, name: string) => under(group, `${group.id}/providers/Microsoft.KeyVault/vaults/${name}`);
const VAULT = vaultIn(GROUP, 'kv-files');
const VAULT_2 = vaultIn(GROUP, 'kv-files-2');
const KEY = under(VAULT, `${VAULT.id}/keys/files-key`);
const KEY_2 = under(VAULT, `${VAULT.id}/keys/files-key-2`);
const FAR_KEY = under(VAULT_2, `${VAULT_2.id}/keys/files-key`);

/** The places of an assignment that reaches the key of the account, from the root down. */
export const ABOVE_KEY = [ROOT, TENANT, CORP, OURS, GROUP, VAULT, KEY] as const;
export const PLACES = [...ABOVE_KEY, SANDBOX, THEIRS, GROUP_2, VAULT_2, KEY_2, FAR_KEY] as const;

const HSM_ROOT: Place = { id: '/', above: undefined };
const HSM_KEYS = under(HSM_ROOT, '/keys');
const HSM_KEY = under(HSM_KEYS, '/keys/files-key');
const HSM_KEY_2 = under(HSM_KEYS, '/keys/files-key-2');
export const HSM_PLACES = [HSM_ROOT, HSM_KEYS, HSM_KEY, HSM_KEY_2] as const;

const id = (n: number) => `${String(n).padStart(8, '0')}-aaaa-4aaa-8aaa-aaaaaaaaaaaa`;
/** Of the account. */
export const IDENTITY = id(1);
export const OTHER_IDENTITY = id(2);
const [STORAGE_GROUP, ALL_GROUP, OTHER_GROUP] = [id(11), id(12), id(13)] as const;
export const HOLDERS = [IDENTITY, OTHER_IDENTITY, STORAGE_GROUP, ALL_GROUP, OTHER_GROUP] as const;
/** The identity is in a group that is in another one. */
const MEMBERSHIPS = new Map<string, readonly string[]>([
  [IDENTITY, [STORAGE_GROUP]],
  [STORAGE_GROUP, [ALL_GROUP]],
  [OTHER_IDENTITY, [OTHER_GROUP]],
]);

/** "Key Vault Crypto Service Encryption User", as Azure's list of built-in roles has it. */
export const ENCRYPTION_ROLE = 'e147488a-f6f5-4113-8e2d-b22465e65bf6';
export const ACTIONS = ['keys/read', 'keys/wrap/action', 'keys/unwrap/action'].map(
  (name) => `Microsoft.KeyVault/vaults/${name}`,
);
export const LOCAL_ACTIONS = ['read', 'wrap', 'unwrap'].map(
  (name) => `Microsoft.KeyVault/managedHsm/keys/${name}/action`,
);
const PERMISSIONS = ['get', 'wrapkey', 'unwrapkey'];

export interface GrantsScenario {
  readonly model: VaultProperties['accessModel'];
  readonly assignments: readonly Assignment[];
  readonly policies: readonly KeyPolicy[];
  /** Principals of which Azure shows that they are no groups. */
  readonly noGroups: readonly string[];
  readonly spell: (id: string) => string;
  /** Another administrator assigns it while `cmk account revoke` removes the first role. */
  readonly meanwhile?: Assignment;
  /** The keys of the account's encryption scopes. */
  readonly scopes: readonly ('own' | 'beside' | 'far')[];
}

const SCOPE_KEYS = {
  own: { place: KEY, uri: 'https://kv-files.vault.azure.net/keys/files-key' },
  beside: { place: KEY_2, uri: 'https://kv-files.vault.azure.net/keys/files-key-2' },
  far: { place: FAR_KEY, uri: 'https://kv-files-2.vault.azure.net/keys/files-key' },
};

/** Who reaches one key by what is assigned in a tenant, and what `cmk account revoke` says of it. */
export class GrantsWorld implements World {
  readonly scheduler = new Scheduler({ faults: 0 });
  readonly #scenario: GrantsScenario;
  readonly #tenant: Tenant;
  readonly #places: readonly Place[];
  readonly #isLocal: boolean;

  constructor(scenario: GrantsScenario) {
    this.#scenario = scenario;
    this.#tenant = new Tenant(MEMBERSHIPS, scenario.spell);
    this.#tenant.assignments = [...scenario.assignments];
    this.#isLocal = scenario.model === 'local';
    this.#places = this.#isLocal ? HSM_PLACES : PLACES;
  }

  /** What is asked of Azure is asked in one go. */
  transitions(): readonly [] {
    return [];
  }

  check(): void {}

  async atRest(): Promise<void> {
    try {
      await this.#judgeAccess();
      if (!this.#isLocal) await this.#judgeRevocation();
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${this.#describe()}`, { cause: error });
    }
  }

  #describe(): string {
    const policies = this.#scenario.policies.map(({ objectId, keyPermissions }) => `  ${objectId}: ${keyPermissions}`);
    return [this.#scenario.model, this.#tenant.describe(), ...policies].join('\n');
  }

  /** The answers for one account, as by `cmk` and for a restore, and by the drift check for many. */
  async #judgeAccess(): Promise<void> {
    const { model, policies } = this.#scenario;
    const account = accountOf();
    const properties = { accessModel: model, policies } as VaultProperties;
    const services = this.#services();
    const read = createAccessReader(this.#vault, properties, services);

    const roles = await readVaultRoles(
      this.#vault,
      properties,
      services as unknown as Parameters<typeof readVaultRoles>[2],
      undefined,
    );

    for (const place of this.#isLocal ? [HSM_KEY, HSM_KEY_2] : [KEY, KEY_2]) {
      const name = place.id.split('/').at(-1) ?? '';
      const truth = this.#truth(place);
      const access = await read(IDENTITY, name);
      this.#judge(checkIdentityAccess(account, { vaultId: this.#vault.id, name }, access), truth, 'exactly');
      this.#judge((await roles.accessOf(account, name, undefined)).access, truth, 'soundly');
    }
  }

  /** @param how `exactly`: it is unknown only where Azure does not show enough to decide it */
  #judge({ ready, missing }: KeyAccess, truth: Answer, how: 'exactly' | 'soundly'): void {
    const said = `${ready}${missing.length > 0 ? ` (${missing.join(' ')})` : ''}`;
    if (ready === true && truth !== 'yes') throw new Error(`The identity has no access for sure, and it says ${said}.`);
    if (ready === false && truth !== 'no') throw new Error(`The identity may have access, and it says ${said}.`);
    if (ready !== 'unknown' || how === 'soundly') return;
    if (truth === 'yes' && this.#isPlain('direct')) throw new Error(`The identity has access, and it says ${said}.`);
    if (truth === 'no' && this.#isPlain('alone')) throw new Error(`The identity has no access, and it says ${said}.`);
  }

  #truth(place: Place): Answer {
    const { model, policies } = this.#scenario;
    if (model === 'rbac') return this.#tenant.reaches(IDENTITY, place, ACTIONS);
    if (model === 'local') return this.#tenant.reaches(IDENTITY, place, LOCAL_ACTIONS);
    const holders = this.#tenant.holders(IDENTITY);
    const own = policies.filter(({ objectId }) => holders.has(objectId));
    const given = new Set(own.flatMap(({ keyPermissions }) => keyPermissions.map((one) => one.toLowerCase())));
    return given.has('all') || PERMISSIONS.every((one) => given.has(one)) ? 'yes' : 'no';
  }

  /** Azure RBAC shows the roles of groups; who is in a group that a policy or a local role names, Azure does not show. */
  #isPlain(how: 'direct' | 'alone'): boolean {
    const { model, policies, noGroups } = this.#scenario;
    if (model === 'rbac') return true;
    const holders =
      model === 'local'
        ? this.#tenant.assignments.map(({ holder }) => holder)
        : policies.map(({ objectId }) => objectId);
    const others = holders.filter((holder) => holder !== IDENTITY);
    if (how === 'alone') return others.every((holder) => noGroups.includes(holder));
    return others.length === 0;
  }

  async #judgeRevocation(): Promise<void> {
    const { scopes } = this.#scenario;
    const before = [...this.#tenant.assignments];
    const journal = new Journal({ dryRun: false });
    const azure = this.#azure();
    const options = { account: ACCOUNT.id, shared: true, reason: 'a simulation', audit: azure.audit };

    try {
      const { complete } = await revokeAccount(options, { azure: azure as unknown as Azure, journal });
      if (complete) this.#judgeComplete(scopes);
      else this.#judgeIncomplete(scopes);
      this.#judgeRemoved(before);
    } catch (error) {
      if (!(error instanceof CmkError) || error.reason !== 'AccountNotRevocable') throw error;

      if (before.some((one) => !this.#tenant.assignments.includes(one))) {
        throw new Error('It refuses to revoke, and has removed a role.');
      }

      if (this.#hasNoPolicy()) throw new Error(`It has no access policy, and it refuses: ${error.message}`);
      if (this.#isRemovable(before)) throw new Error(`Its only roles can be removed, and it refuses: ${error.message}`);
    }
  }

  #judgeComplete(scopes: GrantsScenario['scopes']): void {
    if (this.#scenario.model === 'accessPolicies') {
      if (this.#truth(KEY) === 'yes') throw new Error('It is complete, and a policy gives access.');
      return;
    }
    for (const place of [KEY, ...scopes.map((scope) => SCOPE_KEYS[scope].place)]) {
      const [standing] = this.#tenant.letting(IDENTITY, place, ACTIONS);
      if (standing) throw new Error(`It is complete, and the role at ${standing.place.id} still reaches ${place.id}.`);
    }
  }

  #judgeIncomplete(scopes: GrantsScenario['scopes']): void {
    const places = [KEY, ...scopes.map((scope) => SCOPE_KEYS[scope].place)];
    if (places.some((place) => this.#tenant.letting(IDENTITY, place, ACTIONS).length > 0)) return;
    throw new Error('It is incomplete, and nothing reaches a key of the account any more.');
  }

  /** It takes from the identity what reaches its key, and nothing from others. */
  #judgeRemoved(before: readonly Assignment[]): void {
    for (const one of before.filter((each) => !this.#tenant.assignments.includes(each))) {
      if (one.holder === IDENTITY && (one.place === VAULT || one.place === KEY)) continue;
      throw new Error(`It removes the role of ${one.holder} at ${one.place.id}.`);
    }
  }

  /** Whether no access policy is that of the identity, and none can be that of a group. */
  #hasNoPolicy(): boolean {
    const { model, policies } = this.#scenario;
    return (
      model === 'accessPolicies' && this.#isPlain('alone') && policies.every(({ objectId }) => objectId !== IDENTITY)
    );
  }

  /** Whether the identity has the role of Storage at the vault or the key, and nothing else that reaches the key. */
  #isRemovable(before: readonly Assignment[]): boolean {
    if (this.#scenario.model !== 'rbac') return false;
    const reaching = new Set(this.#tenant.letting(IDENTITY, KEY, ACTIONS));
    return before
      .filter((one) => reaching.has(one))
      .every(({ holder, place, role, endsOn }) => {
        const isBelow = place === VAULT || place === KEY;
        return holder === IDENTITY && isBelow && role.roleId === ENCRYPTION_ROLE && !endsOn;
      });
  }

  get #vault(): ManagedVault {
    const hsm = VAULT.id.replace('/vaults/', '/managedHSMs/');
    return managed(this.#isLocal ? hsm : VAULT.id);
  }

  #place(of: string): Place {
    const found = this.#places.find((place) => place.id.toLowerCase() === of.toLowerCase());
    if (!found) throw new Error(`There is no ${of}.`);
    return found;
  }

  #services() {
    const principals = { noGroups: async () => new Set(this.#scenario.noGroups) };
    const localRoles = { grantsAt: async (_hsm: unknown, scope: string) => this.#tenant.at(this.#place(scope)) };

    const authorization = {
      grantsAt: async (scope: string) => [...this.#tenant.around(this.#place(scope))],
      grantsTo: async (principal: string, scope: string) => [
        ...this.#tenant.assignedTo(principal.toLowerCase(), this.#place(scope)),
      ],
      forgetRoles: () => undefined,
      endsAt: async (scope: string) => this.#tenant.ends(this.#place(scope)),
    };

    return { principals, localRoles, authorization };
  }

  /** What the command asks of Azure. */
  #azure() {
    const { model, policies, scopes } = this.#scenario;
    const vaults = [VAULT, VAULT_2].map((place) => {
      const { id: vaultId, name, uri } = managed(place.id);
      return { id: vaultId, name, uri: `${uri}/`, accessModel: model, policies };
    });
    const vaultOf = async ({ id: named }: { readonly id: string }) => vaults.find((vault) => vault.id === named);

    const remove = async (scope: string, name: string): Promise<void> => {
      const { meanwhile } = this.#scenario;
      const isIt = (one: Assignment) => one.name === name && one.place.id.toLowerCase() === scope.toLowerCase();
      const left = this.#tenant.assignments.filter((one) => !isIt(one));
      const added = meanwhile && !left.includes(meanwhile) ? [meanwhile] : [];
      this.#tenant.assignments = [...left, ...added];
    };

    return {
      ...this.#services(),
      cloud: CLOUD,
      operator: async () => ({ objectId: id(99), appId: 'cli' }),
      audit: async () => ({ written: { file: 'f', seq: 1, hash: 'h' } }),
      roles: { remove },
      vaults: { get: vaultOf, find: vaultOf },
      vaultGuards: { locksOf: async () => [] },
      subscriptions: { list: async () => [SUBSCRIPTION] },
      resources: {
        find: async (_: string, __: string, name: string) =>
          vaults.filter((one) => one.name === name).map((one) => one.id),
      },
      resourceGraph: { query: async function* () {} },
      accounts: {
        find: async () => accountOf(),
        list: async function* () {},
        listAllScopes: async function* () {
          for (const scope of scopes) yield { name: scope, enabled: true, keyUri: SCOPE_KEYS[scope].uri };
        },
      },
    };
  }
}

const ACCOUNT = parseResourceId(
  `${OURS.id}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`,
) as ResourceId;

function accountOf(): Account {
  return {
    ...ACCOUNT,
    location: 'westeurope',
    tags: {},
    userAssignedIdentities: [],
    principalIds: {},
    systemPrincipalId: IDENTITY,
    encryption: {
      keySource: 'Microsoft.Keyvault',
      keyVaultProperties: { keyVaultUri: 'https://kv-files.vault.azure.net', keyName: 'files-key' },
    } as Account['encryption'],
  };
}

function managed(vaultId: string): ManagedVault {
  const found = parseManagedVault(vaultId, CLOUD);
  if (!found) throw new Error(`${vaultId} is no vault.`);
  return found;
}
