import type { Reason } from '../reasons.ts';

/** What a script can go by. The table in docs/how-to/beside-az.md and `cmk --help` say the same. */
export const EXIT = {
  /** Done, or nothing to do. */
  ok: 0,
  /** A check found something, or only a part was done: run it again. */
  incomplete: 1,
  /** The command line is not right; nothing was changed. */
  usage: 2,
  /** Refused: something has to be different first. */
  refused: 3,
  /** Not signed in, or a right is missing. */
  rights: 4,
  /** Azure could not be reached, is throttling, or a role has not propagated: run it again later. */
  later: 5,
  /** An error that nobody foresaw: please report it. */
  unexpected: 70,
  /** Ended by Ctrl-C: what is done stays done. SIGHUP and SIGTERM likewise, see `interruptions`. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_REASON: Partial<Record<Reason, ExitCode>> = {
  ArgumentInvalid: EXIT.usage,
  ConfirmationWrong: EXIT.usage,
  SettingsInvalid: EXIT.usage,
  SignInNeeded: EXIT.rights,
  MissingPermission: EXIT.rights,
  VaultUnreadable: EXIT.rights,
  NotPropagated: EXIT.later,
  Throttled: EXIT.later,
  ServiceUnavailable: EXIT.later,
  NotProven: EXIT.incomplete,
  QueryFailed: EXIT.incomplete,
  RevocationIncomplete: EXIT.incomplete,
  RestoreIncomplete: EXIT.incomplete,
  RetirementNotUndone: EXIT.incomplete,
  Unexpected: EXIT.unexpected,
  Interrupted: EXIT.interrupted,
};

/** A reason that is not named here is a refusal. */
export function exitCodeOf(reason: Reason): ExitCode {
  return BY_REASON[reason] ?? EXIT.refused;
}
