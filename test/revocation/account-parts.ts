import { parseResourceId } from '../../src/azure/resource-id.ts';
import type { AccountPart, AccountPorts, AccountTags } from '../../src/revocation/account-part.ts';
import { type RevokedPart, readAccountRevocations, type Taken, takenId } from '../../src/revocation/account-record.ts';
import type { AccountWord } from '../../src/revocation/account-trail.ts';
import { giveAccount } from '../../src/revocation/give-account.ts';
import { takeAccount } from '../../src/revocation/take-account.ts';
import { ALICE, BOB } from './records.ts';

export const VAULT =
  '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files';
const ACCOUNT =
  '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01';
export const PRINCIPAL = 'd00d0000-0000-4000-8000-00000000000a';

export function role(n: number, more: Partial<Extract<Taken, { kind: 'role' }>> = {}): Taken {
  const name = `00000000-0000-4000-8000-00000000000${n}`;
  return { kind: 'role', name, scope: VAULT, principalId: PRINCIPAL, ...more };
}

export function localRole(n: number, hsm = 'https://hsm-local.managedhsm.azure.net'): Taken {
  return {
    kind: 'localRole',
    name: `00000000-0000-4000-8000-00000000000${n}`,
    hsm,
    scope: '/keys',
    principalId: PRINCIPAL,
  };
}

/** An account in memory, whose every call can be told to do something first, once. */
export class MemoryAccount {
  readonly roles = new Map<string, Taken>();
  /** When each was given last, where that was not at the beginning. */
  readonly givenOn = new Map<string, Date>();
  tags: Record<string, string> = { owner: 'finance' };
  now = new Date('2026-03-02T10:00:00.000Z');
  /** What was called, in order. */
  readonly calls: string[] = [];
  readonly #first = new Map<string, (() => Promise<void> | void)[]>();
  /** Before, and after, each call; what the second throws is an answer that is lost. */
  /** Why it may have access although nothing shows it. */
  doubt: string | undefined;
  turn: ((call: string) => Promise<void>) | undefined;
  answered: ((call: string) => void) | undefined;

  /** Before the next call of that name. */
  before(call: string, run: () => Promise<void> | void): void {
    this.#first.set(call, [...(this.#first.get(call) ?? []), run]);
  }

  give(...taken: readonly Taken[]): void {
    for (const one of taken) {
      if (!this.roles.has(takenId(one))) this.givenOn.set(takenId(one), this.now);
      this.roles.set(takenId(one), one);
    }
  }

  get ports(): AccountPorts {
    const tags: AccountTags = {
      read: async () => {
        await this.#called('read');
        return { ...this.tags };
      },
      merge: async (_, more) => {
        await this.#called('merge');
        this.tags = { ...this.tags, ...more };
        this.answered?.('merge');
      },
      remove: async (_, less) => {
        await this.#called('remove');
        this.tags = Object.fromEntries(Object.entries(this.tags).filter(([name, value]) => less[name] !== value));
        this.answered?.('remove');
      },
    };
    return { tags, now: () => this.now, sleep: async () => this.#first.get('sleep')?.shift()?.() };
  }

  part(part: RevokedPart = 'identity'): AccountPart {
    const account = parseResourceId(ACCOUNT);
    if (!account) throw new Error('no id');
    return {
      account,
      part,
      rights: 'It takes a right.',
      doubt: async () => this.doubt,
      held: async () => {
        await this.#called('held');
        return [...this.roles.values()];
      },
      isHeld: async (taken) => {
        await this.#called('isHeld');
        return this.roles.has(takenId(taken));
      },
      standing: async (taken) => {
        await this.#called('standing');
        return this.roles.has(takenId(taken)) ? { changedOn: this.givenOn.get(takenId(taken)) } : undefined;
      },
      take: async (taken) => {
        await this.#called('take');
        this.roles.delete(takenId(taken));
        this.answered?.('take');
      },
      give: async (taken) => {
        await this.#called('give');
        this.give(taken);
        this.answered?.('give');
      },
    };
  }

  async #called(call: string): Promise<void> {
    this.calls.push(call);
    const [run, ...rest] = this.#first.get(call) ?? [];
    this.#first.set(call, rest);
    await run?.();
    await this.turn?.(call);
  }
}

/** Of a word in the audit trail, unless it says more. */
export const SAYS_NOTHING = {
  closed: [],
  gives: [],
  record: undefined,
  found: [],
  refused: [],
  foundLater: false,
  byMessageAlone: false,
} as const satisfies Partial<AccountWord>;
export const DAVE = 'da4e0000-0000-4000-8000-000000000004';
export const LOST = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
export const REFUSED = Object.assign(new Error('no right'), { statusCode: 403, code: 'AuthorizationFailed' });

export const accountWith = (...ns: readonly number[]): MemoryAccount => {
  const account = new MemoryAccount();
  account.give(...ns.map((n) => role(n)));
  return account;
};
export const take = (account: MemoryAccount, id = 'f00d', revokedBy = ALICE) =>
  takeAccount(account.part(), { id, revokedBy }, account.ports);
export const give = (account: MemoryAccount, revocation = 'f00d', restoredBy = BOB, dualControl = true) =>
  giveAccount(account.part(), { revocation, restoredBy, dualControl }, account.ports);
export const openOn = ({ tags, now }: MemoryAccount) => readAccountRevocations(tags, now).open;
export const heldBy = ({ roles }: MemoryAccount) => [...roles.keys()].sort();
export const ids = (...ns: readonly number[]) => ns.map((n) => takenId(role(n)));

export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
