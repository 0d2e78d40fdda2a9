import { z } from 'zod';
import { DAY_MS } from '../../formats/spans.ts';

/**
 * Accounts that used a managed key, and the time of the last read that showed it. Shows which accounts no longer use
 * one. Accounts are stored by name, which is unique in Azure. Grouping by key and time limits ten thousand accounts to
 * about 300 KB.
 */
export const MANAGED_MEMORY = z.record(
  z.string(),
  z.array(
    z.strictObject({
      /** Key identifier without a version. */
      key: z.string(),
      /** The pinned version; absent: the account is automatic. */
      version: z.string().optional(),
      lastSeen: z.iso.datetime(),
      accounts: z.array(z.string()),
    }),
  ),
);
export type ManagedMemory = z.output<typeof MANAGED_MEMORY>;

/** The last managed key of an account, and when a check last read it. */
interface FormerUse {
  readonly key: string;
  /** The pinned version. */
  readonly version?: string | undefined;
  readonly lastSeen: Date;
}

/** The last key of each account, by lower-case account name. */
export function listFormerUses(memory: ManagedMemory): Map<string, FormerUse> {
  const uses = new Map<string, FormerUse>();
  for (const { key, version, lastSeen, accounts } of Object.values(memory).flat()) {
    const use = { key, version, lastSeen: new Date(lastSeen) };
    for (const account of accounts) uses.set(account, use);
  }
  return uses;
}

/** Time after which an unlisted account is forgotten. Until then its subscription may be unreadable. Milliseconds. */
const GONE_MS = 90 * DAY_MS;

/** The stored uses of accounts, updated account by account. */
export class AccountMemory {
  readonly #before: ReadonlyMap<string, FormerUse>;
  /** Uses of the listed accounts. */
  readonly #now = new Map<string, FormerUse | undefined>();
  /** Accounts with the same key, version and time share one object. */
  readonly #uses = new Map<string, FormerUse>();

  constructor(before: ManagedMemory) {
    this.#before = listFormerUses(before);
  }

  /** The use that an earlier check read for an account. */
  of(account: string): FormerUse | undefined {
    return this.#before.get(account.toLowerCase());
  }

  /** @param use undefined deletes the account's entry */
  remember(account: string, use: FormerUse | undefined): void {
    // A copy, because a substring keeps the whole ARM id in memory, which is five times as long.
    this.#now.set(Buffer.from(account.toLowerCase()).toString(), use && this.#intern(use));
  }

  /** @param isWhole whether every account was listed; an unlisted account then no longer exists */
  next(isWhole: boolean, now: Date): ManagedMemory {
    const namesByUse = new Map<FormerUse, string[]>();
    const add = (account: string, use: FormerUse): void => {
      const names = namesByUse.get(use) ?? [];
      namesByUse.set(use, names);
      names.push(account);
    };

    for (const [account, use] of this.#now) {
      if (use) add(account, use);
    }

    const isKept = ({ lastSeen }: FormerUse) => !isWhole && now.getTime() - lastSeen.getTime() <= GONE_MS;

    for (const [account, use] of this.#before) {
      if (!this.#now.has(account) && isKept(use)) add(account, this.#intern(use));
    }

    const all = [...namesByUse].map(([{ key, version, lastSeen }, accounts]) => {
      return { key, ...(version ? { version } : {}), lastSeen: lastSeen.toISOString(), accounts };
    });

    return { all };
  }

  #intern(use: FormerUse): FormerUse {
    const id = `${use.lastSeen.toISOString()} ${use.key} ${use.version}`;
    const known = this.#uses.get(id) ?? use;
    this.#uses.set(id, known);
    return known;
  }
}
