import type { Reason } from '../../errors/reasons.ts';
import { findRefusal } from '../../errors/refusals.ts';

/** Exit codes for scripts. The table in docs/how-to/beside-az.md and `cmk --help` list the same codes. */
export const EXIT = {
  ok: 0, // done, or nothing to do
  incomplete: 1, // a check found a problem, or a part failed: run the command again
  usage: 2, // the command line is invalid; nothing was changed
  refused: 3, // the operator has to change something first
  rights: 4, // not signed in, or a right is missing
  later: 5, // Azure could not be reached, is throttling, or a role has not propagated: run it again later
  unexpected: 70, // an error of cmk itself: please report it
  interrupted: 130, // by Ctrl-C, SIGHUP or SIGTERM: completed steps stay done
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Returns the exit code of a reason; a reason without one in the table of refusals is a refusal. */
export function getExitCode(reason: Reason): ExitCode {
  return EXIT[findRefusal(reason)?.exit ?? 'refused'];
}
