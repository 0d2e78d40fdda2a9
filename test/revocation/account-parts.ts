import { parseResourceId } from '../../src/azure/resource-id.ts';
import type { AccountPart, AccountPorts, AccountTags } from '../../src/revocation/account-part.ts';
import { type RevokedPart, type Taken, takenId } from '../../src/revocation/account-record.ts';

export const VAULT =
  '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files';
const ACCOUNT =
  '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01';
export const PRINCIPAL = 'd00d0000-0000-4000-8000-00000000000a';

export function role(n: number, more: Partial<Extract<Taken, { kind: 'role' }>> = {}): Taken {
  const name = `00000000-0000-4000-8000-00000000000${n}`;
  return { kind: 'role', name, scope: VAULT, principalId: PRINCIPAL, ...more };
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
    return { tags, now: () => this.now, sleep: async () => {} };
  }

  part(part: RevokedPart = 'identity'): AccountPart {
    const account = parseResourceId(ACCOUNT);
    if (!account) throw new Error('no id');
    return {
      account,
      part,
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
