import type { KeyUse } from '../fleet/key-use.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Outcome } from '../work/outcome.ts';
import { type MoveIntent, versionId } from './intent.ts';

/** What one account, or one of its encryption scopes, was found to be and became. */
export interface KeyUseResult {
  readonly account: string;
  readonly scope?: string;
  readonly key: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly mode: 'pinned' | 'automatic';
}

/** What uses a key: an account, or one of its encryption scopes. */
export interface Subject {
  readonly scope?: string;
  /** Waits for its turn to be read and written, or says why that is too far away; absent: it is its turn already. */
  turn?(): Promise<Outcome | undefined>;
  /** Reads it anew; undefined when it is gone. */
  read(): Promise<Reading | undefined>;
}

/** A subject as it was read. */
export interface Reading {
  readonly use: KeyUse | undefined;
  /** When its key was last wrapped with a new version, by Storage's clock; undefined where Storage does not say. */
  readonly rotatedOn: Date | undefined;
  /**
   * Writes back what was read, altered in the key version alone ("" stays automatic), or in the key where it is to be
   * another one; the use as the answer shows it.
   */
  write(pin: string, to: ManagedKey | undefined): Promise<KeyUse | undefined>;
}

/** What a move, done or not, is told as. */
export function toldMove(
  move: Pick<MoveIntent, 'account' | 'scope' | 'key' | 'toKey' | 'mode' | 'from'>,
  to: string | undefined,
): KeyUseResult {
  const { account, scope, key, toKey = key, mode, from } = move;
  return { account, ...(scope ? { scope } : {}), key, mode, from: versionId(key, from), to: versionId(toKey, to) };
}
