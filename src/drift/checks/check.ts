import type { ShellCommand } from '../../azure/shell-command.ts';
import type { Reason } from '../../errors/reasons.ts';
import type { Finding, FixAction } from '../report/report.ts';
import type { Rules } from './subjects.ts';

/** A check's finding on one subject. */
export interface Found {
  /** ARM id or key identifier; absent: the id of the subject. */
  readonly resource?: string;
  /** Distinguishes several findings of one check on one resource. */
  readonly part?: string;
  readonly is: string;
  /** Absent: the check's `ensures`. */
  readonly shouldBe?: string;
  /** What an operator must do; absent: the check's `fix`. */
  readonly fix?: string;
  /** The shell command that repairs it; absent if an operator must decide first. */
  readonly command?: ShellCommand | undefined;
  /** The shared cause of several findings; absent: the finding is its own cause. */
  readonly cause?: FoundCause | undefined;
  /** Overrides the check's severity. */
  readonly severity?: Finding['severity'];
  /** How the app would fix it. */
  readonly action?: FixAction;
}

/** One repair resolves every finding of a cause: granting a role, enabling a version, restoring a key. */
export interface FoundCause {
  /** Reason of the cause; absent: the check's. */
  readonly reason?: Reason;
  /** ARM ids and key identifiers to repair. Findings with the same reason and `about` share a cause. */
  readonly about: readonly string[];
}

/** An entry of the specification in `checks.ts`. */
export interface Check<S> {
  readonly reason: Reason;
  readonly severity: Finding['severity'];
  /** The promise that the check verifies. */
  readonly ensures: string;
  /** What an operator must do about a finding. */
  readonly fix: string;
  /** Pure. Returns no finding for a failed read, which only the check `Unreadable` reports. */
  readonly find: (subject: S, rules: Rules) => Found | readonly Found[] | undefined;
}
