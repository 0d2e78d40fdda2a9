import type { Reason } from '../reasons.ts';
import { refusalOf } from '../refusals.ts';

/** Exit codes for scripts. The table in docs/how-to/beside-az.md and `cmk --help` list the same codes. */
export const EXIT = {
  /** Done, or nothing to do. */
  ok: 0,
  /** A check found a problem, or a part failed: run the command again. */
  incomplete: 1,
  /** The command line is invalid; nothing was changed. */
  usage: 2,
  /** Refused: the operator has to change something first. */
  refused: 3,
  /** Not signed in, or a right is missing. */
  rights: 4,
  /** Azure could not be reached, is throttling, or a role has not propagated: run it again later. */
  later: 5,
  /** An unexpected error: please report it. */
  unexpected: 70,
  /** Ended by Ctrl-C: completed steps stay done. SIGHUP and SIGTERM likewise, see `interruptions`. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Returns the exit code of a reason; a reason without one in the table of refusals is a refusal. */
export function exitCodeOf(reason: Reason): ExitCode {
  return EXIT[refusalOf(reason)?.exit ?? 'refused'];
}
