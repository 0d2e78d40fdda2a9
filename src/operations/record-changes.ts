import { randomUUID } from 'node:crypto';
import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import type { Change } from './journal.ts';
import { callerOf } from './key/app-record.ts';
import type { Operator } from './operator.ts';

/** What an operator says about all that a command changes. */
interface Occasion {
  /** `account onboard`. */
  readonly command: string;
  readonly why?: string | undefined;
  readonly ticket?: string | undefined;
}

/** Writes what a command changes into the app's audit trail, while the command goes on. */
export interface ChangeRecorder {
  readonly record: (change: Change) => void;
  /** When all of it is written; what could not be, in words. */
  readonly end: () => Promise<readonly string[]>;
}

export function changeRecorder(
  occasion: Occasion,
  operator: () => Promise<Operator>,
  audit: RecordAudit,
): ChangeRecorder {
  const correlationId = randomUUID();
  const written: Promise<string | undefined>[] = [];
  const write = async ({ text, action, resource, from, to }: Change): Promise<string | undefined> => {
    try {
      const caller = callerOf(await operator());
      const details = { ...occasion, text, from, to };
      const entry = { action, reason: 'OperatorChanged', resource, caller, correlationId, details } as const;
      const outcome = await audit(entry, AUDIT_WAIT_MS);
      return 'failed' in outcome ? `${text}: ${outcome.failed}` : undefined;
    } catch (error) {
      return `${text}: ${(error as Error).message}`;
    }
  };
  return {
    record: (change) => written.push(write(change)),
    end: async () => (await Promise.all(written)).flatMap((problem) => problem ?? []),
  };
}
