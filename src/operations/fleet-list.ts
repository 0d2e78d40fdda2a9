import pMap from 'p-map';
import type { Account } from '../accounts/account.ts';
import { accountKeyUse, type KeyUse, scopeKeyUse } from '../accounts/key-use.ts';
import { planKeyUse } from '../accounts/plan.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { type FleetFilter, matchesFilter } from '../fleet/fleet-filter.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { Reason } from '../reasons.ts';
import type { Operation } from './operator-azure.ts';
import { keyByName } from './resolve.ts';

/** Subscriptions, keys and accounts that are read at the same time. */
const CONCURRENCY = 8;

/** One use of a key, or an account without one. */
export interface FleetRow {
  /** ARM id. */
  readonly account: string;
  readonly name: string;
  /** Encryption scope; undefined for the account itself. */
  readonly scope: string | undefined;
  readonly subscription: string;
  readonly resourceGroup: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly region: string;
  /** Key identifier without a version; undefined with Microsoft-managed keys. */
  readonly key: string | undefined;
  readonly mode: 'pinned' | 'automatic' | undefined;
  readonly version: string | undefined;
  /** How it stands, as a reason code. */
  readonly state: Reason;
}

export interface Fleet {
  readonly rows: readonly FleetRow[];
  /** What could not be read, one sentence each. */
  readonly unread: readonly string[];
}

/** Every account that the sign-in sees, with its key and how it stands. Changes nothing. */
export async function listFleet(
  options: {
    readonly subscription?: string | undefined;
    readonly scopes: boolean;
    readonly all: boolean;
    readonly filter?: FleetFilter;
  },
  { azure }: Operation,
): Promise<Fleet> {
  const subscriptions = options.subscription ? [options.subscription] : await azure.subscriptions.list();
  const unread: string[] = [];
  if (subscriptions.length === 0) {
    unread.push(
      'Your sign-in sees no subscription: ask for Reader on one, or see by `cmk doctor` who is signed in where.',
    );
  }
  const states = new KeyStates({ azure, unread });
  const rows: FleetRow[] = [];
  await pMap(
    subscriptions,
    async (subscription) => {
      const accounts: Account[] = [];
      try {
        for await (const account of azure.accounts.list(subscription)) accounts.push(account);
      } catch (error) {
        unread.push(
          `The accounts of subscription ${subscription} cannot be listed: ${describe(describeFailure(error))}`,
        );
      }
      await pMap(
        accounts,
        async (account) => {
          const use = accountKeyUse(account.encryption);
          if (use || options.all) rows.push(await states.row(account, undefined, use));
          if (!options.scopes) return;
          try {
            for await (const scope of azure.accounts.listScopes(account)) {
              rows.push(await states.row(account, scope.name, scopeKeyUse(scope)));
            }
          } catch (error) {
            unread.push(
              `The encryption scopes of ${account.name} cannot be listed: ${describe(describeFailure(error))}`,
            );
          }
        },
        { concurrency: CONCURRENCY },
      );
    },
    { concurrency: CONCURRENCY },
  );
  const place = ({ name, scope }: FleetRow): string => `${name} ${scope ?? ''}`;
  const wanted = rows.filter((row) => matchesFilter(row, options.filter ?? {}));
  return { rows: wanted.sort((a, b) => (place(a) < place(b) ? -1 : 1)), unread };
}

/** The versions of each key, read once. */
class KeyStates {
  readonly #versions = new Map<string, Promise<readonly KeyVersion[] | undefined>>();
  readonly #azure: Operation['azure'];
  readonly #unread: string[];

  constructor({ azure, unread }: { azure: Operation['azure']; unread: string[] }) {
    this.#azure = azure;
    this.#unread = unread;
  }

  async row(account: Account, scope: string | undefined, use: KeyUse | undefined): Promise<FleetRow> {
    const { id, name, subscriptionId: subscription, resourceGroup, tags, location: region } = account;
    const about = { account: id, name, scope, subscription, resourceGroup, tags, region };
    if (!use) {
      return { ...about, key: undefined, mode: undefined, version: undefined, state: 'NotCustomerManaged' };
    }
    const key = `${use.vaultUri}/keys/${use.keyName}`;
    const mode = use.pinned === undefined ? 'automatic' : 'pinned';
    const versions = await this.#read(key);
    const state = versions
      ? planKeyUse(use, versions, this.#azure.now(), { refreshAutomatic: false }).reason
      : 'VaultUnreadable';
    return { ...about, key, mode, version: use.current ?? use.pinned, state };
  }

  #read(key: string): Promise<readonly KeyVersion[] | undefined> {
    const known = this.#versions.get(key.toLowerCase());
    if (known) return known;
    const reading = this.#azure.keys
      .listVersions(keyByName(key, undefined, this.#azure.cloud))
      .catch((error: unknown) => {
        this.#unread.push(`The versions of ${key} cannot be read: ${describe(describeFailure(error))}`);
        return undefined;
      });
    this.#versions.set(key.toLowerCase(), reading);
    return reading;
  }
}
