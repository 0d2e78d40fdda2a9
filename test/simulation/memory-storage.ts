import type { Account, AccountEncryption, Scope } from '../../src/accounts/account.ts';
import type { StorageAccounts } from '../../src/accounts/storage-client.ts';
import type { ResourceId } from '../../src/azure/resource-id.ts';
import { VAULT, versionName } from '../support/keys.ts';
import type { Way } from './memory-vault.ts';
import type { Actor } from './scheduler.ts';

/** How an account or a scope uses a key before anything happens. */
export interface UseSpec {
  readonly subscription: string;
  readonly region: string;
  readonly mode: 'pinned' | 'automatic';
  readonly key: string;
  readonly wave?: string;
  /** A pinned encryption scope of the same key beside it. */
  readonly scoped?: boolean;
  /** Pinned encryption scopes beside it, each on such a key. */
  readonly scopeKeys?: readonly string[];
  /** Its key's name is written in capitals, which Key Vault does not tell from small letters. */
  readonly inCapitals?: boolean;
  /** Its key is in a vault that the app does not manage. */
  readonly foreign?: boolean;
}

/** A version that a use came to be on. */
export interface Change {
  readonly name: string;
  readonly version: string;
  readonly key: string;
  /** Key that it was on before; where the app changed it, as the app had read it. */
  readonly from: string;
  readonly byApp: boolean;
  /** The app sent a PATCH for it too, which Azure's answer does not tell from one that changed something. */
  isAsked: boolean;
  readonly atMs: number;
  /** Who read it, and went on. */
  readonly seenBy: Set<Actor>;
}

/** What an actor last read of a use. */
interface Read {
  readonly changes: number;
  readonly key: string;
  readonly rest: string;
}

/** A key and an order that moves others onto it have rollouts of their own to the same version. */
export function rolloutOf(from: string, to: string, version: string): string {
  return `${from} ${to} ${version}`;
}

interface Kept {
  readonly spec: UseSpec;
  key: string;
  /** The key's name as it was written; Azure shows it so. */
  spelled: string;
  /** Empty: automatic. */
  pin: string;
  current: string;
  readonly first: string;
  stamp: Date;
  changes: Change[];
}

/** What the world knows of the keys, to judge a PATCH when it is sent. */
interface Rules {
  /** Version that Storage wraps with when it is asked to use that one, or the newest; undefined: it refuses. */
  wraps(key: string, version: string): string | undefined;
  /** Whether a list of the last seconds may have shown that as the version to move to. */
  mayTarget(key: string, version: string): boolean;
  /** Whether the key has been revoked for longer than a list may be old. */
  isLongRevoked(key: string): boolean;
  /** Whether an instance must have known for long that moves are paused. */
  isLongPaused(): boolean;
  /** Whether others have to be moved first. */
  isHeld(name: string, from: string, key: string, version: string): boolean;
  isRekeyed(from: string, to: string, name: string): boolean;
  isOlder(key: string, a: string, b: string): boolean;
  stampOn(): Date;
}

const REST = { requireInfrastructureEncryption: true, services: { file: { enabled: true, keyType: 'Account' } } };

/** Accounts of several subscriptions and regions, as the Storage resource provider keeps them; each PATCH is judged. */
export class MemoryStorage {
  readonly #uses = new Map<string, Kept>();
  readonly #gone = new Set<string>();
  /** Resource groups of accounts that were moved to another one. */
  readonly #groups = new Map<string, string>();
  readonly #rules: Rules;
  readonly #now: () => number;
  /** What did not hold, first thing first. */
  broken: string | undefined;
  /** By {@link rolloutOf}: uses that a PATCH was sent for. */
  readonly asked = new Map<string, Set<string>>();
  /** PATCHes that the app sent, by use: `key/version`, without a version to an automatic one. */
  readonly #sent = new Map<string, string[]>();

  constructor(specs: readonly UseSpec[], rules: Rules, now: () => number) {
    this.#rules = rules;
    this.#now = now;
    for (const spec of specs) this.create(spec);
  }

  /** A person makes an account. @returns its name */
  create(spec: UseSpec): string {
    const name = `st${1 + [...this.#uses.keys()].filter((other) => !other.includes('/')).length}`;
    this.#uses.set(name, this.#newUse(spec, spec.key, spec.mode));

    const scopes = spec.scoped ? [spec.key] : (spec.scopeKeys ?? []);
    for (const [n, key] of scopes.entries()) {
      this.#uses.set(`${name}/scope${n === 0 ? '' : n}`, this.#newUse(spec, key, 'pinned'));
    }
    return name;
  }

  /** A person makes an encryption scope, pinned to a version of a key. */
  createScope(account: string, key: string, version: string): void {
    const { spec } = this.#of(account);
    const count = [...this.#uses.keys()].filter((name) => name.startsWith(`${account}/`)).length;
    const scope = { ...this.#newUse(spec, key, 'pinned'), pin: version, current: version, first: version };
    this.#uses.set(`${account}/scope${count === 0 ? '' : count}`, scope);
  }

  #newUse(spec: UseSpec, key: string, mode: UseSpec['mode']): Kept {
    const current = this.#rules.wraps(key, '') ?? versionName(0);

    return {
      spec,
      key,
      spelled: spec.inCapitals ? key.toUpperCase() : key,
      pin: mode === 'pinned' ? current : '',
      current,
      first: current,
      stamp: new Date(this.#now()),
      changes: [],
    };
  }

  /** Of keys that the app manages. */
  get uses(): readonly (readonly [name: string, use: Kept])[] {
    return this.all.filter(([, { spec }]) => !spec.foreign);
  }

  get all(): readonly (readonly [name: string, use: Kept])[] {
    return [...this.#uses].filter(([name]) => !this.#gone.has(name.split('/')[0] ?? ''));
  }

  get changes(): readonly Change[] {
    return [...this.#uses.values()].flatMap(({ changes }) => changes);
  }

  id(name: string): string {
    const { subscription } = this.#of(name).spec;
    const account = name.split('/')[0] ?? '';
    const group = this.#groupOf(account);
    return `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/${account}`;
  }

  #groupOf(account: string): string {
    return this.#groups.get(account) ?? 'rg';
  }

  /** How many PATCHes the app sent that may have put the use onto that version. */
  sentTo(name: string, key: string, version: string): number {
    const sent = this.#sent.get(name) ?? [];
    return sent.filter((to) => to === `${key}/${version}` || to === `${key}/`).length;
  }

  /** A person's own hand: pins it to a version, of another key perhaps. */
  set(name: string, key: string, pin: string): void {
    const use = this.#of(name);
    this.#apply(name, use, key, use.pin === '' ? '' : pin, pin);
    use.spelled = use.spec.inCapitals ? key.toUpperCase() : key;
  }

  delete(name: string): void {
    this.#gone.add(name);
  }

  /** An operator moves an account to another resource group. */
  regroup(name: string): void {
    this.#groups.set(name, `${this.#groupOf(name)}-new`);
  }

  /** `key/version` of all that Azure has shown of a use, once for each time that it came to be so. */
  shown(name: string): readonly string[] {
    const { spec, first, changes } = this.#uses.get(name) ?? {};
    if (!spec || !changes) return [];
    return [
      `${changes[0]?.from ?? this.#of(name).key}/${first}`,
      ...changes.map(({ key, version }) => `${key}/${version}`),
    ];
  }

  port(actor: Actor, way: Way): StorageAccounts {
    const reads = new Map<string, Read>();
    const see = (name: string) => this.#of(name).changes.at(-1)?.seenBy.add(actor);
    const get = async (name: string, signal: AbortSignal | undefined): Promise<void> => {
      const effect = () => ({ changes: this.#of(name).changes.length, key: this.#of(name).key });
      const read = await way(`get ${name}`, effect, false, signal);
      reads.set(name, { ...read, rest: JSON.stringify(REST) });
      see(name);
    };

    const patch = async (
      name: string,
      written: string,
      pin: string,
      signal: AbortSignal | undefined,
    ): Promise<void> => {
      const read = reads.get(name);
      const key = written.toLowerCase();

      this.#judge(name, key, pin, read);
      this.#sent.set(name, [...(this.#sent.get(name) ?? []), `${key}/${pin}`]);

      const effect = () => {
        this.#patch(name, key, pin, read);
        this.#of(name).spelled = written;
      };

      await way(`patch ${name} ${key} ${Number.parseInt(pin || '0', 16)}`, effect, true, signal);
      see(name);
    };

    return {
      list: async function* (this: MemoryStorage, subscription: string) {
        const page = await way(`list accounts ${subscription.slice(-2)}`, () =>
          this.all
            .filter(([name, { spec }]) => !name.includes('/') && spec.subscription === subscription)
            .map(([name]) => ({ name, account: this.#account(name) })),
        );
        for (const { name, account } of page) {
          see(name);
          yield account;
        }
      }.bind(this),
      get: async (id, signal) => {
        const name = this.#named(id);
        await get(name, signal);
        return this.#account(name);
      },
      updateEncryption: async (id, { keyVaultProperties, keySource, ...rest }, signal) => {
        const name = this.#named(id);
        this.#of(name);

        if (JSON.stringify(rest) !== reads.get(name)?.rest) this.#breaks(`${name} loses a setting`);
        await patch(name, keyVaultProperties?.keyName ?? '', keyVaultProperties?.keyVersion ?? '', signal);
        return this.#account(name);
      },
      listScopes: async function* (this: MemoryStorage, id: ResourceId) {
        const name = this.#named(id);
        const page = await way(`list scopes ${name}`, () => {
          this.#of(name);
          const scopes = [...this.#uses.keys()].filter((other) => other.startsWith(`${name}/`));
          return scopes.map((scope) => this.#scope(scope));
        });

        for (const one of page) {
          see(`${name}/${one.name}`);
          yield one;
        }
      }.bind(this),
      getScope: async (id, scopeName, signal) => {
        const name = `${this.#named(id)}/${scopeName}`;
        await get(name, signal);
        return this.#scope(name);
      },
      updateScopeKey: async (id, scope, keyUri, signal) => {
        const name = this.#named(id);
        const [key = '', pin = ''] = keyUri.split('/').slice(4);
        await patch(`${name}/${scope}`, key, pin, signal);
        return this.#scope(`${name}/${scope}`);
      },
    };
  }

  /** When the PATCH is sent: what takes effect later may meet anything. */
  #judge(name: string, key: string, pin: string, read: Read | undefined): void {
    const use = this.#of(name);
    const isOther = key !== use.key && read?.changes === use.changes.length;
    if (isOther && !this.#rules.isRekeyed(use.key, key, name)) this.#breaks(`${name} is put onto ${key}`);
    if (this.#rules.isLongPaused()) this.#breaks(`${name} is moved although moves are paused`);

    const from = read?.key ?? use.key;
    if (pin !== '' && this.#rules.isHeld(name, from, key, pin)) {
      this.#breaks(`${name} is moved before those that go first`);
    }

    const rollout = rolloutOf(from, key, pin);
    const asked = this.asked.get(rollout) ?? new Set();

    // An automatic use gets the newest version of all, whatever stage that is in.
    if (pin !== '') this.asked.set(rollout, asked.add(name));
    if (!this.#rules.mayTarget(key, pin)) this.#breaks(`${name} is moved to a version that is not the newest`);

    for (const one of new Set([use.key, key])) {
      if (this.#rules.isLongRevoked(one)) this.#breaks(`${name} is moved although ${one} is revoked`);
    }
  }

  #patch(name: string, key: string, pin: string, read: Read | undefined): void {
    const use = this.#of(name);
    const version = this.#rules.wraps(key, pin);
    if (!version) throw Object.assign(new Error('the key cannot be used'), { statusCode: 403, code: 'KeyDisabled' });
    if (read?.changes === use.changes.length) {
      if ((pin === '') !== (use.pin === '')) this.#breaks(`${name} changes its mode`);
      if (key === use.key && this.#rules.isOlder(key, version, use.current)) this.#breaks(`${name} is moved backwards`);
    }
    this.#apply(name, use, key, pin, version, read?.key ?? use.key);
  }

  /** @param readKey key that the app had read; absent: a person changes it */
  #apply(name: string, use: Kept, key: string, pin: string, version: string, readKey?: string): void {
    const isSame = use.key === key && use.current === version;
    const byApp = readKey !== undefined;
    const from = readKey ?? use.key;
    Object.assign(use, { key, pin, current: version });
    const last = use.changes.at(-1);
    if (isSame && last) last.isAsked ||= byApp;
    if (isSame) return;
    use.stamp = this.#rules.stampOn();
    use.changes.push({ name, key, from, version, byApp, isAsked: byApp, atMs: this.#now(), seenBy: new Set() });
  }

  #of(name: string): Kept {
    const use = this.#uses.get(name);
    if (!use || this.#gone.has(name.split('/')[0] ?? '')) {
      throw Object.assign(new Error('no such account'), { statusCode: 404, code: 'ResourceNotFound' });
    }
    return use;
  }

  /** An id that is not the account's own names none. */
  #named({ name, subscriptionId, resourceGroup }: ResourceId): string {
    const { spec } = this.#uses.get(name) ?? {};
    const isOwn = spec?.subscription === subscriptionId && resourceGroup === this.#groupOf(name);
    return isOwn ? name : `no ${name}`;
  }

  #account(name: string): Account {
    const { spec, spelled, pin, current, stamp } = this.#of(name);
    const encryption: AccountEncryption = {
      keySource: 'Microsoft.Keyvault',
      ...REST,
      keyVaultProperties: {
        keyName: spelled,
        keyVaultUri: vaultOf(spec),
        keyVersion: pin,
        currentVersionedKeyIdentifier: `${vaultOf(spec)}/keys/${spelled}/${current}`,
        lastKeyRotationTimestamp: stamp,
      },
    };

    return {
      id: this.id(name),
      subscriptionId: spec.subscription,
      resourceGroup: this.#groupOf(name),
      name,
      encryption,
      type: 'Microsoft.Storage/storageAccounts',
      location: spec.region,
      userAssignedIdentities: [],
      principalIds: {},
      systemPrincipalId: undefined,
      tags: spec.wave ? { 'cmk-wave': spec.wave } : {},
    };
  }

  #scope(name: string): Scope {
    const { spec, spelled, current, stamp } = this.#of(name);
    const keyUri = `${vaultOf(spec)}/keys/${spelled}/${current}`;
    return { name: name.split('/')[1] ?? '', enabled: true, keyUri, currentKeyId: keyUri, changedOn: stamp };
  }

  #breaks(what: string): void {
    this.broken ??= what;
  }
}

export function vaultOf({ foreign }: UseSpec): string {
  return foreign ? 'https://kv-other.vault.azure.net' : VAULT.uri;
}
