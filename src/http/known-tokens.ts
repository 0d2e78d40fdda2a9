import { hash } from 'node:crypto';
import type { JWTHeaderParameters } from 'jose';
import type { Caller } from './token-claims.ts';

/** What a token says, once everything about it has been found right. */
export interface CheckedToken {
  readonly caller: Caller;
  readonly header: JWTHeaderParameters;
  /** That its signature was checked with. */
  readonly key: unknown;
  /** `nbf` and `exp`. */
  readonly from: number;
  readonly until: number;
}

interface TokenChecks {
  /** Checks everything: signature, issuer, audience, lifetime, claims. @throws when something is not right */
  readonly check: (token: string, now: Date) => Promise<CheckedToken>;
  /** Whether it may be used at that time, and was signed with a key that the tenant has by now. */
  readonly stillHolds: (checked: CheckedToken, now: Date) => Promise<boolean>;
}

/** Tokens that are known at a time; of a caller who signs in once an hour it is one. */
const MOST_KNOWN = 1_000;

/**
 * Checks the signature of a token that is sent over and over once: a flood of calls with one token must not take the
 * processor away from everybody else's. Known is the text as a whole, signature included, and by its hash alone: the memory
 * holds no tokens. What depends on the time of the call is looked at for each call. A refusal is not kept; calls at the same
 * time share one.
 */
export function checkOnce({ check, stillHolds }: TokenChecks): (token: string, now: Date) => Promise<Caller> {
  const known = new Map<string, Promise<CheckedToken>>();

  async function checkAnew(name: string, token: string, now: Date): Promise<CheckedToken> {
    const checking = check(token, now);
    known.set(name, checking);
    const [oldest] = known.keys();
    if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
    try {
      return await checking;
    } catch (error) {
      if (known.get(name) === checking) known.delete(name);
      throw error;
    }
  }

  async function callerOf(name: string, token: string, now: Date): Promise<Caller> {
    const before = known.get(name);
    if (!before) return (await checkAnew(name, token, now)).caller;
    const checked = await before;
    if (await stillHolds(checked, now)) return checked.caller;
    // Of the calls that find this out at the same time the first one checks it anew.
    if (known.get(name) === before) known.delete(name);
    return callerOf(name, token, now);
  }

  return async (token, now) => callerOf(hash('sha256', token, 'base64url'), token, now);
}
