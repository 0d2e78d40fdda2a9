import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { KeyUse } from '../fleet/key-use.ts';
import { isNewerVersion, versionInUse } from '../fleet/plan.ts';
import { formatKeyIdentifier, parseKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import { findVersion, type KeyVersion } from '../keys/key-versions.ts';
import { CLOCKS_MS } from '../time/spans.ts';

/** From its announcement to the end of its write, one that takes effect late included. Milliseconds. */
const LONGEST_MOVE_MS = 4 * 60_000;

const intent = z.object({
  /** Of the move, and so of its audit record: there is one for each. */
  id: z.string(),
  /** ARM id. */
  account: z.string(),
  /** Encryption scope; absent: the account itself. */
  scope: z.string().optional(),
  /** Identifier without a version. */
  key: z.string(),
  /** Identifier of the key that it is to use instead, and the order that says so; absent: it stays with its key. */
  toKey: z.string().optional(),
  rekey: z.string().optional(),
  mode: z.enum(['pinned', 'automatic']),
  /** The versions: in use before, and meant to be. */
  from: z.string().optional(),
  to: z.string(),
  cause: z.object({ by: z.string(), ref: z.string(), since: z.string() }),
  /** When it was written down (ISO 8601), right before the write that it announces. */
  at: z.iso.datetime(),
  /** That write is answered, or was given up a whole lease ago: it takes no more effect. */
  over: z.boolean().optional(),
  /** It was given up: until then it may take effect all the same (ISO 8601). What is no time counts as the latest. */
  until: z.iso.datetime().optional().catch('9999-12-31T23:59:59.999Z'),
  /** Nobody knows whether it is answered: it was left alone for so long of the time that it may take. Milliseconds. */
  waitedMs: z.number().min(0).max(60_000).optional().catch(undefined),
  /** What became of it, once that is known: to be recorded. */
  done: z
    .object({
      reason: z.enum(['Moved', 'Refreshed', 'Rekeyed', 'MoveUnproven']),
      to: z.string().optional(),
      /** By what was read at a later look, and not by an answer. */
      provenBy: z.literal('look').optional(),
    })
    .optional(),
});

/**
 * A move that was begun, kept with the account's lease until it is recorded: what is read later proves it, although the
 * answer was lost, or whoever wrote it was killed.
 */
export type MoveIntent = z.output<typeof intent>;

/** How an account was last seen to use a key. */
const known = z.object({
  vaultUri: z.string(),
  keyName: z.string(),
  pinned: z.string().optional(),
  current: z.string().optional(),
});

const STATE = z.object({ moves: z.array(intent), known: known.optional().catch(undefined) });

/** What is kept with the lease of an account. */
interface AccountState {
  /** Begun, and not recorded yet. */
  readonly moves: readonly MoveIntent[];
  /**
   * The use that the last move of the app left behind; undefined when the app never moved it. It is saved in the same write
   * that takes the move away: while there is no move here, the app has written nothing since.
   */
  readonly known: KeyUse | undefined;
}

/**
 * What a lease's state says; nothing where it is not of this form. The ids are made anew: by one that is chosen, a record
 * would stand for another one in the audit trail.
 */
export function parseAccountState(state: unknown): AccountState {
  const { moves = [], known: use } = STATE.safeParse(state).data ?? {};
  return { moves: moves.map(newIntent), known: use && { ...use, pinned: use.pinned, current: use.current } };
}

export function formatAccountState({ moves, known: use }: AccountState): z.input<typeof STATE> | undefined {
  if (moves.length === 0 && !use) return undefined;
  return { moves: [...moves], ...(use ? { known: use } : {}) };
}

/** Gives the move its id: two that begin at the same moment differ in what they move. */
export function newIntent(move: Omit<MoveIntent, 'id'>): MoveIntent {
  const { account, scope = '', key, toKey, from = '', to, at } = move;
  const text = [account.toLowerCase(), scope, key, from, to, at, ...(toKey ? [toKey] : [])].join('\n');
  return { ...move, id: createHash('sha256').update(text).digest('hex').slice(0, 32) };
}

/** Identifier of a version of the key that an identifier without a version names. */
export function versionId(key: string, version: string | undefined): string | undefined {
  const parsed = parseKeyIdentifier(key);
  return parsed && version && formatKeyIdentifier(parsed, version);
}

/** What a use of the key proves of a move that was begun. */
type Verdict =
  | { readonly verdict: 'moved'; readonly to: string }
  /** It still uses what it used before. */
  | { readonly verdict: 'notMoved' }
  /** Changed by somebody else since: whether the move took effect cannot be told any more. */
  | { readonly verdict: 'unproven' };

/**
 * A use of a version that is newer than the one that was asked for counts as moved to that: Storage goes to the newest of
 * all for an automatic use, whichever was the newest when it was asked.
 *
 * @param versions of the move's key, listed after the use was seen
 */
export function judge(move: MoveIntent, use: KeyUse | undefined, versions: readonly KeyVersion[]): Verdict {
  const shown = use && versionInUse(use);
  const mode = use?.pinned === undefined ? 'automatic' : 'pinned';
  if (!use || mode !== move.mode) return { verdict: 'unproven' };
  if (move.toKey !== undefined) return judgeRekey(move, move.toKey, use);
  if (!isOfKey(use, move.key)) return { verdict: 'unproven' };
  if (shown === move.from) return { verdict: 'notMoved' };
  if (shown === undefined) return { verdict: 'unproven' };
  const to = findVersion(versions, move.to);
  const isNewest = move.mode === 'automatic' && !findVersion(versions, shown);
  const isMoved = shown === move.to || isNewest || (to !== undefined && isNewerVersion(shown, to, versions));
  return isMoved ? { verdict: 'moved', to: shown } : { verdict: 'unproven' };
}

/**
 * The same, at a later look: nobody heard of an answer, and a person may have made the same move. When the account's key was
 * wrapped with the version in use tells them apart, but for what happened within minutes of each other.
 *
 * @param rotatedOn by Storage's clock (`lastKeyRotationTimestamp`, Azure CLI pull request 12932); undefined: it does not say
 */
export function judgeLater(
  move: MoveIntent,
  use: KeyUse | undefined,
  versions: readonly KeyVersion[],
  rotatedOn: Date | undefined,
): Verdict {
  const verdict = judge(move, use, versions);
  if (verdict.verdict !== 'moved' || !rotatedOn || use?.current === undefined) return verdict;
  const afterMs = rotatedOn.getTime() - Date.parse(move.at);
  // It was so before the move was announced.
  if (afterMs < -CLOCKS_MS) return { verdict: 'notMoved' };
  // Storage itself goes on from there in an automatic one, and whoever pins a newer version does not say what was before.
  const isSame = move.mode === 'pinned' && verdict.to === move.to;
  return isSame && afterMs > LONGEST_MOVE_MS + CLOCKS_MS ? { verdict: 'unproven' } : verdict;
}

/** The key itself is the proof: a version of it that is newer than the one that was asked for came later. */
function judgeRekey(move: MoveIntent, toKey: string, use: KeyUse): Verdict {
  if (isOfKey(use, toKey)) return { verdict: 'moved', to: versionInUse(use) ?? move.to };
  return isOfKey(use, move.key) ? { verdict: 'notMoved' } : { verdict: 'unproven' };
}

/** What a judged move has come to. */
export function doneBy({ mode, toKey }: MoveIntent, verdict: Verdict): NonNullable<MoveIntent['done']> {
  if (verdict.verdict !== 'moved') return { reason: 'MoveUnproven' };
  if (toKey !== undefined) return { reason: 'Rekeyed', to: verdict.to };
  return { reason: mode === 'automatic' ? 'Refreshed' : 'Moved', to: verdict.to };
}

export function modeOf({ pinned }: KeyUse): MoveIntent['mode'] {
  return pinned === undefined ? 'automatic' : 'pinned';
}

/** Whether a use is of the key that an identifier without a version names. */
export function isOfKey(use: KeyUse, key: string): boolean {
  return sameKeyName(formatKeyIdentifier(use), key);
}
