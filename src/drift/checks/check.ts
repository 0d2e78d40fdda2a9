import type { ShellCommand } from '../../azure/shell-command.ts';
import type { Reason } from '../../reasons.ts';
import type { Rules } from './subjects.ts';

/**
 * `error`: data cannot be reached, or cannot soon, or is not protected as it has to be. `warning`: will become one, or
 * takes away a safety net. `advice`: in order, and could be better.
 */
export type Severity = 'error' | 'warning' | 'advice';

/** What a check found on one subject. */
export interface Found {
  /** ARM id or key identifier; absent: the subject's own. */
  readonly resource?: string;
  /** Tells several findings of one check on one resource apart. */
  readonly part?: string;
  readonly is: string;
  readonly shouldBe: string;
  /** What a person does about it, where that can be said more exactly than the check says it. */
  readonly fix?: string;
  /** The command that repairs it, to be copied into a shell; absent where it takes a decision first. */
  readonly command?: ShellCommand | undefined;
  /** What one act would repair, along with other findings; absent: this finding alone. */
  readonly cause?: FoundCause;
  /** Another severity than the check's. */
  readonly severity?: Severity;
  /** What the app would do about it. */
  readonly action?: FixAction;
}

/** Findings of one cause are repaired by one act: giving a role back, enabling a version, restoring a key. */
export interface FoundCause {
  /** Another reason than the check's: that of what is behind it. */
  readonly reason?: Reason;
  /** ARM ids and key identifiers of what is to be repaired. Findings with the same reason and the same of these are of one cause. */
  readonly about: readonly string[];
}

/** How a finding is fixed: always through the same paths as everything else. */
export type FixAction =
  | { readonly kind: 'account'; readonly account: string; readonly location: string; readonly key: string }
  | { readonly kind: 'events'; readonly vault: string; readonly functionName: string }
  | { readonly kind: 'watch'; readonly subscription: string }
  | { readonly kind: 'retire'; readonly key: string; readonly version: string }
  | { readonly kind: 'rotate'; readonly key: string; readonly version: string };

/** One line of the specification. */
export interface Check<S> {
  readonly reason: Reason;
  readonly severity: Severity;
  /** The sentence that it makes sure of. */
  readonly ensures: string;
  /** What a person does about it. */
  readonly fix: string;
  /** Pure. What could not be read is a finding of `Unreadable` alone. */
  readonly find: (subject: S, rules: Rules) => readonly Found[];
}
