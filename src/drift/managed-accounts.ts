import { z } from 'zod';
import { DAY_MS } from '../time/spans.ts';

/**
 * Which accounts used a managed key, and when that was seen last: one that does not any more has left it. Accounts are named by
 * their names, which are unique in all Azure; those of one key and time are together, so that ten thousand take some 300 KB.
 */
export const MANAGED_MEMORY = z.record(
  z.string(),
  z.array(
    z.strictObject({
      /** Key identifier without a version. */
      key: z.string(),
      /** That they were pinned to; absent: they follow by themselves. */
      version: z.string().optional(),
      lastSeen: z.iso.datetime(),
      accounts: z.array(z.string()),
    }),
  ),
);
export type ManagedMemory = z.output<typeof MANAGED_MEMORY>;
/** Name of the one entry: earlier versions had an entry for each subscription. */
const ALL = 'all';

/** What an account used, and when it was seen last to use it. */
interface FormerUse {
  readonly key: string;
  /** That it was pinned to. */
  readonly version?: string | undefined;
  readonly lastSeen: Date;
}

/** The key that each account used last, by the name of the account in lower case. */
export function formerUses(memory: ManagedMemory): Map<string, FormerUse> {
  const uses = new Map<string, FormerUse>();
  for (const { key, version, lastSeen, accounts } of Object.values(memory).flat()) {
    const use = { key, version, lastSeen: new Date(lastSeen) };
    for (const account of accounts) {
      const known = uses.get(account);
      if (!known || known.lastSeen < use.lastSeen) uses.set(account, use);
    }
  }
  return uses;
}

/** An account that no list shows is forgotten after so long, as it may be in a subscription that cannot be read. Milliseconds. */
const GONE_MS = 90 * DAY_MS;

/** What is remembered of the accounts, brought up to date account by account. */
export class AccountMemory {
  readonly #before: ReadonlyMap<string, FormerUse>;
  /** Of the accounts that were listed. */
  readonly #now = new Map<string, FormerUse | undefined>();

  constructor(before: ManagedMemory) {
    this.#before = formerUses(before);
  }

  /** What an account was seen to use by an earlier check. */
  of(account: string): FormerUse | undefined {
    return this.#before.get(account.toLowerCase());
  }

  /** @param use undefined: it is forgotten */
  remember(account: string, use: FormerUse | undefined): void {
    // A copy: a name that was cut out of an ARM id keeps all of the id in memory, five times as much.
    this.#now.set(Buffer.from(account.toLowerCase()).toString(), use);
  }

  /** @param isWhole every account was listed: one that was not does not exist any more */
  next(isWhole: boolean, now: Date): ManagedMemory {
    const groups = new Map<string, ManagedMemory[string][number]>();
    const isKept = ({ lastSeen }: FormerUse) => !isWhole && now.getTime() - lastSeen.getTime() <= GONE_MS;
    const unlisted = [...this.#before].filter(([account, use]) => !this.#now.has(account) && isKept(use));
    for (const [account, use] of [...this.#now, ...unlisted]) {
      if (!use) continue;
      const { key, version, lastSeen } = use;
      const seen = lastSeen.toISOString();
      const id = `${seen} ${key} ${version}`;
      const group = groups.get(id) ?? { key, ...(version ? { version } : {}), lastSeen: seen, accounts: [] };
      group.accounts.push(account);
      groups.set(id, group);
    }
    return { [ALL]: [...groups.values()] };
  }
}
