import type { Reason } from './reasons.ts';

/** Base class of this app's errors: a reason code, a message and the next step. */
export class CmkError extends Error {
  /** Reason code, shared by logs, reports and HTTP responses. */
  readonly reason: Reason;
  /** The next step for the reader, in one sentence. */
  readonly nextStep: string;

  constructor(reason: Reason, message: string, nextStep: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CmkError';
    this.reason = reason;
    this.nextStep = nextStep;
  }
}

/** The message of any thrown value. Errors that Azure's SDKs may throw: `describeError`. */
export function getMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The stack of any thrown value, for a log of an unexpected error; its message if it has none. */
export function getStack(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** One or more settings are missing or wrong. `problems` has one line per setting. */
export class SettingsError extends CmkError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      'SettingsInvalid',
      `${problems.length === 1 ? 'A setting is' : `${problems.length} settings are`} missing or wrong:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
      'Correct the app settings named here; docs/reference/settings.md lists them all.',
    );
    this.name = 'SettingsError';
    this.problems = problems;
  }
}
