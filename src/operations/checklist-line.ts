/** One thing that has to hold, for a person to read. */
export interface ChecklistLine {
  readonly check: string;
  /** `advice`: it works, and could be better. */
  readonly state: 'ok' | 'advice' | 'failed' | 'unknown';
  /** What is, in words. */
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
}
