/** One run of the drift check. */
export interface DriftRun {
  /** Finds the run in the log and in the audit trail; the report's id. */
  readonly id: string;
  readonly by: 'timer' | 'operator';
  /** Object id of the operator. */
  readonly caller?: string;
  /** When it aborts, what was not read by then is `Unreadable`, and the check comes to its end. */
  readonly signal?: AbortSignal;
  readonly patienceMs?: number;
}
