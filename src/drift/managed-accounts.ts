import { z } from 'zod';
import { DAY_MS } from '../time/spans.ts';

/**
 * Which accounts of a subscription used a managed key, and when that was seen last: one that does not any more has left it.
 * Accounts are named by their names, which are unique in all Azure; those of one key and time are together, so that ten
 * thousand take some 300 KB.
 */
export const MANAGED_ACCOUNTS = z.array(
  z.strictObject({
    /** Key identifier without a version. */
    key: z.string(),
    /** That they were pinned to; absent: they follow by themselves. */
    version: z.string().optional(),
    lastSeen: z.iso.datetime(),
    accounts: z.array(z.string()),
  }),
);
type ManagedAccounts = z.output<typeof MANAGED_ACCOUNTS>;

/** By subscription. */
export const MANAGED_MEMORY = z.record(z.string(), MANAGED_ACCOUNTS);
export type ManagedMemory = z.output<typeof MANAGED_MEMORY>;

/** What an account used, and when it was seen last to use it. */
interface FormerUse {
  readonly key: string;
  /** That it was pinned to. */
  readonly version?: string | undefined;
  readonly lastSeen: Date;
}

/** By the name of the account, in lower case. */
type FormerUses = ReadonlyMap<string, FormerUse>;

/**
 * The key that each account used last. If an account is stored for two subscriptions, the newer entry counts: the app may not
 * see the other subscription any more, whose entry grows old.
 */
export function formerUses(remembered: readonly ManagedAccounts[]): FormerUses {
  const uses = new Map<string, FormerUse>();
  for (const { key, version, lastSeen, accounts } of remembered.flat()) {
    const use = { key, version, lastSeen: new Date(lastSeen) };
    for (const account of accounts) {
      const known = uses.get(account);
      if (!known || known.lastSeen < use.lastSeen) uses.set(account, use);
    }
  }
  return uses;
}

/** An account that is in no subscription that can be read is forgotten after so long. Milliseconds. */
const GONE_MS = 90 * DAY_MS;

interface ReadMemory {
  /** Of the subscription. */
  readonly id: string;
  readonly managedAccounts: ManagedAccounts;
  /** Whether all of its accounts were seen. */
  readonly isWhole: boolean;
}

/**
 * What is to be remembered after a check: one that is not there any more may be in a subscription that could not be read.
 * Some never can be.
 */
export function nextMemory(before: ManagedMemory, now: Date, read: readonly ReadMemory[]): ManagedMemory {
  const next = { ...before, ...Object.fromEntries(read.map(({ id, managedAccounts }) => [id, managedAccounts])) };
  if (read.every(({ isWhole }) => isWhole)) return next;
  const known = new Set(read.flatMap(({ managedAccounts }) => managedAccounts.flatMap(({ accounts }) => accounts)));
  for (const { id, managedAccounts } of read) {
    const gone = (before[id] ?? [])
      .filter(({ lastSeen }) => now.getTime() - Date.parse(lastSeen) <= GONE_MS)
      .map((group) => ({ ...group, accounts: group.accounts.filter((account) => !known.has(account)) }))
      .filter(({ accounts }) => accounts.length > 0);
    next[id] = [...managedAccounts, ...gone];
  }
  return next;
}

/** What is remembered of the accounts of one subscription, brought up to date account by account. */
export class AccountMemory {
  readonly #before: ManagedAccounts;
  readonly #uses: FormerUses;
  readonly #now = new Map<string, FormerUse>();

  /** @param uses of all subscriptions: an account that was moved from another keeps nothing but its name */
  constructor(before: ManagedAccounts, uses: FormerUses = formerUses([before])) {
    this.#before = before;
    this.#uses = uses;
  }

  /** What an account is remembered to use, until it is said to use something else. */
  of(account: string): FormerUse | undefined {
    return this.#uses.get(account.toLowerCase());
  }

  remember(account: string, use: FormerUse): void {
    // A copy: a name that was cut out of an ARM id keeps all of the id in memory, five times as much.
    this.#now.set(Buffer.from(account.toLowerCase()).toString(), use);
  }

  /** @param all every account was looked at: what was not seen is not there any more */
  toJSON(all: boolean): ManagedAccounts {
    const groups = new Map<string, ManagedAccounts[number]>();
    const remembered = all ? this.#now : new Map([...formerUses([this.#before]), ...this.#now]);
    for (const [account, { key, version, lastSeen }] of remembered) {
      const seen = lastSeen.toISOString();
      const id = `${seen} ${key} ${version}`;
      const group = groups.get(id) ?? { key, ...(version ? { version } : {}), lastSeen: seen, accounts: [] };
      group.accounts.push(account);
      groups.set(id, group);
    }
    return [...groups.values()];
  }
}
