import { revokedBelowKey } from '../revocation/account-record.ts';
import type { Reading } from './subject.ts';

/** Milliseconds. */
const FRESH_MS = 5_000;

/** What of one account is revoked by itself, below the key, as its tags say: the record is there before anything is taken. */
export class RevokedParts {
  readonly #now: () => Date;
  #tags: Readonly<Record<string, string>> | undefined;
  #seenMs: number | undefined;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** Whether the account's tags were read a moment ago: an account with many scopes is looked at for minutes. */
  get isFresh(): boolean {
    return this.#seenMs !== undefined && this.#now().getTime() - this.#seenMs < FRESH_MS;
  }

  /** @param tags of the account, as it was read just now */
  see(tags: Readonly<Record<string, string>>): void {
    this.#tags = tags;
    this.#seenMs = this.#now().getTime();
  }

  /** By the tags as they were seen last; a scope is revoked with its account. */
  of(scope: string | undefined): Reading['revoked'] {
    return revokedBelowKey(this.#tags ?? {}, scope, this.#now());
  }
}
