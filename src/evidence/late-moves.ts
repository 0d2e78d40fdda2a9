import { DAY_MS, HOUR_MS } from '../formats/spans.ts';
import type { MoveEvidence } from './key-evidence.ts';

/** A move with its delay since the version could be used, in seconds. */
export interface LateMove extends MoveEvidence {
  readonly seconds: number;
}

/**
 * Time after which a move counts as late, in milliseconds: an hour for the app, which then reports the rotation as stuck,
 * and a day for Storage, which checks for a new version once a day.
 */
const LATE_MS = { app: HOUR_MS, storage: DAY_MS };

/** Moves that came late, oldest first. A re-key is none: it moves accounts to a version of any age. */
export function findLateMoves(moves: readonly MoveEvidence[], activeFrom: Date): LateMove[] {
  return moves.flatMap((move) => {
    const ms = Date.parse(move.on) - activeFrom.getTime();
    const isLate = ms > (move.reason === 'PickUpObserved' ? LATE_MS.storage : LATE_MS.app);
    return isLate && move.reason !== 'Rekeyed' ? [{ ...move, seconds: Math.round(ms / 1_000) }] : [];
  });
}
