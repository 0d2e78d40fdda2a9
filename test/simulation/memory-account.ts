import type { Account } from '../../src/fleet/account.ts';
import { ENCRYPTION_USER } from '../../src/identities/key-roles.ts';
import type { RevocableServices } from '../../src/identities/revocable.ts';
import { managedKey, managedVault } from '../../src/keys/managed-vaults.ts';
import type { AccountTags } from '../../src/revocation/account-part.ts';
import { KEY, PUBLIC, SUBSCRIPTION, VAULT_ID, versionName } from '../support/keys.ts';
import type { Way } from './memory-vault.ts';

const ID = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1`;
export const PRINCIPAL = 'd00d0000-0000-4000-8000-00000000000a';
const OTHER_PRINCIPAL = 'd00d0000-0000-4000-8000-00000000000b';
export const SCOPE = 'scope1';

interface Role {
  readonly name: string;
  readonly scope: string;
  readonly principalId: string;
  readonly changedOn: Date;
}

/** Where a role is assigned: on the vault, and on the key. */
const PLACES = [VAULT_ID, `${VAULT_ID}/keys/${KEY.name}`] as const;

const hsm = managedVault(VAULT_ID.replace('/vaults/', '/managedHSMs/'), PUBLIC);
if (!hsm) throw new Error('The sample HSM id does not parse.');
/** Of the same name as the vault. */
export const HSM = hsm;
const HSM_KEY = managedKey(HSM, KEY.name);
const LOCAL_PLACES = ['/keys', `/keys/${KEY.name}`] as const;

/** The account before anything was done to it. */
const LONG_AGO = new Date(Date.UTC(2026, 0, 1));

function guid(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

/** One account as Azure keeps it: the roles of its identity, one encryption scope, its tags. */
export class MemoryAccount {
  tags: Record<string, string> = { owner: 'finance' };
  isEnabled = true;
  #principalId = PRINCIPAL;
  #scopeChangedOn = LONG_AGO;
  readonly #roles = new Map<string, Role>();
  readonly #now: () => Date;
  readonly #places: readonly string[];
  readonly #key: typeof KEY;
  #given = 100;

  /** @param inHsm whether the key is in a Managed HSM, whose roles do not say when they were given */
  constructor(roles: number, now: () => Date, inHsm = false) {
    this.#now = now;
    this.#places = inHsm ? LOCAL_PLACES : PLACES;
    this.#key = inHsm ? HSM_KEY : KEY;
    this.#places.slice(0, roles).forEach((scope, n) => {
      this.#put({ name: guid(n + 1), scope, principalId: PRINCIPAL, changedOn: LONG_AGO });
    });
  }

  /** Whatever gives access, in a form to be compared. */
  get access(): readonly string[] {
    return [
      ...this.#mine.map(({ scope, name }) => `${scope}/${name}`),
      ...(this.isEnabled ? [`scope ${SCOPE}`] : []),
    ].sort();
  }

  /** A person gives the role on the vault, under a name of its own; Azure takes no second one beside one that is there. */
  giveByHand(place = this.#places[0] ?? ''): string | undefined {
    this.#given += 1;
    const principalId = this.#principalId;
    const role = { name: guid(this.#given), scope: place, principalId, changedOn: this.#now() };
    return this.#isAssigned(role) ? undefined : this.#put(role);
  }

  /** A person gives the role on the key, too. */
  giveMoreByHand(): string | undefined {
    return this.giveByHand(this.#places[1]);
  }

  /** A person takes away all that there is. */
  takeByHand(): void {
    this.#roles.clear();
    this.#setScope(false);
  }

  /** The account has another identity from now on, which nobody has given anything. */
  changeIdentity(): void {
    this.#principalId = OTHER_PRINCIPAL;
  }

  /** Somebody who may write tags copies a record that stands, as a newer one. */
  plantRecord(of: { readonly id: string; readonly revokedOn: Date }): void {
    const on = new Date(of.revokedOn.getTime() + 1000).toISOString();
    const copies = Object.entries(this.tags)
      .filter(([name]) => name.startsWith(`cmk-revoked-${of.id}`))
      .map(([name, value]) => [name.replace(of.id, 'planted'), value.replace(of.revokedOn.toISOString(), on)]);
    Object.assign(this.tags, Object.fromEntries(copies));
  }

  enableByHand(): void {
    this.#setScope(true);
  }

  get account(): Account {
    return {
      id: ID,
      subscriptionId: SUBSCRIPTION,
      resourceGroup: 'rg',
      type: 'Microsoft.Storage/storageAccounts',
      name: 'st1',
      location: 'westeurope',
      tags: { ...this.tags },
      userAssignedIdentities: [],
      principalIds: {},
      systemPrincipalId: this.#principalId,
      encryption: {
        keySource: 'Microsoft.Keyvault',
        keyVaultProperties: {
          keyVaultUri: this.#key.vault.uri,
          keyName: this.#key.name,
          keyVersion: versionName(1),
          currentVersionedKeyIdentifier: `${this.#key.id}/${versionName(1)}`,
        },
      },
    };
  }

  ports(way: Way): RevocableServices & { readonly tags: AccountTags } {
    const get = () => way('get account', () => this.account);
    const assigned = ({ name, scope, principalId }: Role) => ({
      id: `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`,
      name,
      scope,
      principalId,
      roleId: ENCRYPTION_USER.id,
    });
    return {
      accounts: {
        get,
        getScope: (_, name) =>
          way('get scope', () => ({
            name,
            enabled: this.isEnabled,
            keyUri: `${this.#key.id}/${versionName(1)}`,
            currentKeyId: `${this.#key.id}/${versionName(1)}`,
            changedOn: this.#scopeChangedOn,
          })),
      },
      scopeStates: {
        set: (_, name, state) => way(`${state} ${name}`, () => this.#setScope(state === 'Enabled'), true),
      },
      vaults: { get: async () => ({ accessModel: 'rbac' }) as never },
      authorization: {
        grantsTo: async () =>
          this.#mine.map((role) => ({
            ...assigned(role),
            dataActions: ['*'],
            notDataActions: [],
            conditional: false,
          })),
        endsAt: async () => new Map(),
      },
      localRoles: this.#localRoles(way),
      principals: { noGroups: async (ids) => ids },
      keyRoles: {
        assignedTo: (_, scope) =>
          way('list roles', () => this.#mine.filter((role) => scope.startsWith(role.scope)).map(assigned)),
        find: (scope, name) =>
          way(`find role ${Number(name.slice(-3))}`, () => {
            const role = this.#roles.get(`${scope}/${name}`);
            return role && { ...assigned(role), changedOn: role.changedOn };
          }),
        remove: (scope, name) =>
          way(`remove role ${Number(name.slice(-3))}`, () => void this.#roles.delete(`${scope}/${name}`), true),
        giveBack: (role) => this.#giveBack(way, role),
      },
      tags: {
        read: async () => (await get()).tags,
        merge: (_, tags) => way(`merge ${Object.keys(tags).join()}`, () => void Object.assign(this.tags, tags), true),
        remove: (_, tags) =>
          way(
            `delete ${Object.keys(tags).join()}`,
            () => {
              this.tags = Object.fromEntries(Object.entries(this.tags).filter(([name, value]) => tags[name] !== value));
            },
            true,
          ),
      },
    };
  }

  /** Every assignment is in the list of its own scope alone, and names no time. */
  #localRoles(way: Way): RevocableServices['localRoles'] {
    const shown = ({ name, scope, principalId }: Role) => ({
      name,
      scope,
      principalId,
      roleId: ENCRYPTION_USER.local.id,
    });
    return {
      grantsAt: (_, scope) =>
        way(`list roles at ${scope}`, () =>
          [...this.#roles.values()]
            .filter((role) => role.scope === scope)
            .map((role) => ({
              ...shown(role),
              id: role.name,
              conditional: false,
              dataActions: ENCRYPTION_USER.local.dataActions,
              notDataActions: [],
            })),
        ),
      find: (_, scope, name) =>
        way(`find role ${Number(name.slice(-3))}`, () => {
          const role = this.#roles.get(`${scope}/${name}`);
          return role && shown(role);
        }),
      remove: (_, scope, name) =>
        way(`remove role ${Number(name.slice(-3))}`, () => void this.#roles.delete(`${scope}/${name}`), true),
      give: (_, scope, principalId, __, name = '') => this.#giveBack(way, { scope, name, principalId }),
    };
  }

  #giveBack(way: Way, role: Pick<Role, 'scope' | 'name' | 'principalId'>): Promise<void> {
    const give = (): void => {
      if (!this.#isAssigned(role)) this.#put({ ...role, changedOn: this.#now() });
    };
    return way(`give role ${Number(role.name.slice(-3))}`, give, true);
  }

  get #mine(): readonly Role[] {
    return [...this.#roles.values()].filter(({ principalId }) => principalId === this.#principalId);
  }

  #isAssigned({ scope, principalId }: Pick<Role, 'scope' | 'principalId'>): boolean {
    return [...this.#roles.values()].some((role) => role.scope === scope && role.principalId === principalId);
  }

  #put(role: Role): string {
    const id = `${role.scope}/${role.name}`;
    this.#roles.set(id, role);
    return id;
  }

  #setScope(isEnabled: boolean): void {
    this.isEnabled = isEnabled;
    this.#scopeChangedOn = this.#now();
  }
}
