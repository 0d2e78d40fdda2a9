/** One thing that has to hold, for a person to read. */
export interface ChecklistLine {
  readonly check: string;
  readonly state: 'ok' | 'failed' | 'unknown';
  /** What is, in words. */
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
}
