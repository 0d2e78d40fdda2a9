import type { ShellCommand } from '../../azure/shell-command.ts';
import type { Reason } from '../../reasons.ts';
import type { Finding, FixAction } from '../report.ts';
import type { Rules } from './subjects.ts';

/** What a check found on one subject. */
export interface Found {
  /** ARM id or key identifier; absent: the subject's own. */
  readonly resource?: string;
  /** Tells several findings of one check on one resource apart. */
  readonly part?: string;
  readonly is: string;
  readonly shouldBe: string;
  /** What an operator does about it; absent: what the check says. */
  readonly fix?: string;
  /** The shell command that repairs it; absent: an operator has to decide first. */
  readonly command?: ShellCommand | undefined;
  /** The cause that it shares with other findings; absent: it is its own cause. */
  readonly cause?: FoundCause | undefined;
  /** Another severity than the check's. */
  readonly severity?: Finding['severity'];
  /** How the app would fix it. */
  readonly action?: FixAction;
}

/** One act repairs all findings of a cause: granting a role again, enabling a version, restoring a key. */
export interface FoundCause {
  /** Reason of the cause; absent: the check's. */
  readonly reason?: Reason;
  /** ARM ids and key identifiers of what has to be repaired. Findings with the same reason and `about` share a cause. */
  readonly about: readonly string[];
}

/** One line of the specification in `checks.ts`. */
export interface Check<S> {
  readonly reason: Reason;
  readonly severity: Finding['severity'];
  /** The promise that it checks. */
  readonly ensures: string;
  /** What an operator does about a finding. */
  readonly fix: string;
  /** Pure. For what could not be read, only the check `Unreadable` returns a finding. */
  readonly find: (subject: S, rules: Rules) => readonly Found[];
}
