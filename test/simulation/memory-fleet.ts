import type { Account, AccountEncryption } from '../../src/fleet/account.ts';
import { accountKeyUse } from '../../src/fleet/key-use.ts';
import type { StorageAccounts } from '../../src/fleet/storage-client.ts';
import type { AccountsOfKey } from '../../src/fleet/unindexed-accounts.ts';
import { KEY, SUBSCRIPTION } from '../support/keys.ts';
import type { MemoryVault } from './memory-vault.ts';
import type { Actor } from './scheduler.ts';

/** One account, and how often it was changed, by whom. */
interface Kept {
  account: Account;
  /** By people, so that what the app decides from an earlier read may be undone by it, and may undo it. */
  byPeople: number;
  /** Writes of the app that changed the version in use. */
  moves: number;
  /** When the version in use changed, by anybody. */
  readonly changedOn: Date[];
}

interface Read {
  readonly account: Account;
  readonly byPeople: number;
}

export type FleetWay = <T>(label: string, effect: () => T, writes?: boolean) => Promise<T>;

/** Storage accounts as the resource provider keeps them, with the invariants of a move held against every write. */
export class MemoryFleet {
  readonly #kept = new Map<string, Kept>();
  readonly #vault: MemoryVault;
  readonly #other: { readonly name: string; readonly vault: MemoryVault } | undefined;
  /** Whether a standing order lets the app put an account from the one key onto the other. */
  mayRekey: (from: string, to: string) => boolean = () => false;
  /** What did not hold, first thing first. */
  broken: string | undefined;

  /** @param waves tags `cmk-wave` of the accounts, as far as they have one */
  constructor(
    vault: MemoryVault,
    accounts: readonly ('pinned' | 'automatic')[],
    waves: readonly (string | undefined)[] = [],
    other?: { readonly name: string; readonly vault: MemoryVault },
  ) {
    this.#vault = vault;
    this.#other = other;
    const version = vault.versions[0]?.version ?? '';
    for (const [index, mode] of accounts.entries()) {
      const name = `st${index + 1}`;
      const resourceGroup = 'rg';
      const type = 'Microsoft.Storage/storageAccounts';
      const id = `/subscriptions/${SUBSCRIPTION}/resourceGroups/${resourceGroup}/providers/${type}/${name}`;
      const account: Account = {
        id,
        subscriptionId: SUBSCRIPTION,
        resourceGroup,
        type,
        name,
        location: 'westeurope',
        tags: waves[index] === undefined ? {} : { 'cmk-wave': waves[index] },
        userAssignedIdentities: [],
        principalIds: {},
        systemPrincipalId: undefined,
        encryption: encryption(KEY.name, mode === 'pinned' ? version : '', version, vault.now),
      };
      this.#kept.set(name, { account, byPeople: 0, moves: 0, changedOn: [] });
    }
  }

  get names(): readonly string[] {
    return [...this.#kept.keys()];
  }

  of(name: string): Kept {
    const kept = this.#kept.get(name);
    if (!kept) throw Object.assign(new Error('no such account'), { statusCode: 404 });
    return kept;
  }

  /** A person's own hand: pins it, lets it follow its key by itself (\`''\`), or puts it onto another key. */
  set(name: string, keyName: string, version: string): void {
    const kept = this.of(name);
    kept.byPeople += 1;
    const current = version === '' ? (this.#vault.versions.at(-1)?.version ?? '') : version;
    this.#use(kept, keyName, version, current);
  }

  /** The app's port to the accounts; the reads of each caller are kept, since its writes are judged by them. */
  port(
    actor: Actor,
    way: FleetWay,
    { isPaused, isLeft }: { readonly isPaused: () => boolean; readonly isLeft: (account: Account) => boolean },
  ): StorageAccounts {
    const reads = new Map<string, Read>();
    const unused = async (): Promise<never> => {
      throw new Error('This simulation has no encryption scopes.');
    };
    return {
      list: async function* (this: MemoryFleet) {
        for (const name of this.names) yield await way(`list accounts ${name}`, () => this.of(name).account);
      }.bind(this),
      get: ({ name }) =>
        way(`get ${name}`, () => {
          const { account, byPeople } = this.of(name);
          reads.set(name, { account, byPeople });
          return account;
        }),
      updateEncryption: ({ name }, wanted) => {
        if (actor.lastCall !== `get ${name}`) this.#breaks(`${name} is written to, and not right after it was read`);
        if (isPaused()) this.#breaks(`${name} is moved while its instance knows of a pause`);
        const read = reads.get(name);
        if (read && isLeft(read.account)) this.#breaks(`${name} is exempt, and moved by the drift check`);
        return way(
          `patch ${name} ${wanted.keyVaultProperties?.keyName} ${wanted.keyVaultProperties?.keyVersion}`,
          () => this.#patch(name, wanted, read),
          true,
        );
      },
      listScopes: async function* () {},
      getScope: unused,
      updateScopeKey: unused,
    };
  }

  /** Accounts of a key as Resource Graph shows them. */
  newer(way: FleetWay): AccountsOfKey {
    const all = () => [...this.#kept.values()].map(({ account }) => account);
    return {
      using: async function* ({ name }) {
        const accounts = await way('graph', all);
        for (const { id, location, encryption } of accounts) {
          const use = accountKeyUse(encryption);
          if (use?.keyName === name) yield { id, location, seen: { pinned: use.pinned, current: use.current } };
        }
      },
    };
  }

  #patch(name: string, wanted: AccountEncryption, read: Read | undefined): Account {
    const kept = this.of(name);
    const pin = wanted.keyVaultProperties?.keyVersion ?? '';
    const keyName = wanted.keyVaultProperties?.keyName ?? '';
    const { versions } = keyName === this.#other?.name ? this.#other.vault : this.#vault;
    const version = pin === '' ? versions.at(-1)?.version : pin;
    const found = versions.find((one) => one.version === version);
    if (!found?.enabled)
      throw Object.assign(new Error('the key cannot be used'), { statusCode: 403, code: 'KeyDisabled' });
    const before = kept.account.encryption.keyVaultProperties;
    if (read && read.byPeople === kept.byPeople) {
      const isOther = before?.keyName !== keyName;
      const order = (one: string | undefined) => versions.findIndex((other) => other.version === one);
      const used = before?.currentVersionedKeyIdentifier?.split('/').at(-1);
      if (isOther && !this.mayRekey(before?.keyName ?? '', keyName)) this.#breaks(`${name} is put onto ${keyName}`);
      if (!isOther && order(found.version) < order(used)) this.#breaks(`${name} is moved backwards`);
      if ((pin === '') !== ((before?.keyVersion ?? '') === '')) this.#breaks(`${name} changes its mode`);
    }
    const others = ({ keyVaultProperties: _, ...rest }: AccountEncryption) => JSON.stringify(rest);
    if (read && others(wanted) !== others(read.account.encryption)) this.#breaks(`${name} loses a setting`);
    if (this.#use(kept, keyName, pin, found.version)) kept.moves += 1;
    return kept.account;
  }

  /** Whether the version in use is another one from then on. */
  #use(kept: Kept, keyName: string, pin: string, current: string): boolean {
    const before = kept.account.encryption.keyVaultProperties;
    const same = encryption(keyName, pin, current, before?.lastKeyRotationTimestamp ?? this.#vault.now);
    const isSame = same.keyVaultProperties?.currentVersionedKeyIdentifier === before?.currentVersionedKeyIdentifier;
    if (!isSame) kept.changedOn.push(this.#vault.now);
    const after = isSame ? same : encryption(keyName, pin, current, this.#vault.now);
    kept.account = { ...kept.account, encryption: after };
    return !isSame;
  }

  #breaks(what: string): void {
    this.broken ??= what;
  }
}

function encryption(keyName: string, keyVersion: string, current: string, rotatedOn: Date): AccountEncryption {
  return {
    keySource: 'Microsoft.Keyvault',
    requireInfrastructureEncryption: true,
    services: { file: { enabled: true, keyType: 'Account' } },
    keyVaultProperties: {
      keyName,
      keyVaultUri: KEY.vault.uri,
      keyVersion,
      currentVersionedKeyIdentifier: `${KEY.vault.uri}/keys/${keyName}/${current}`,
      lastKeyRotationTimestamp: rotatedOn,
    },
  };
}
