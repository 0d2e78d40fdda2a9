/** One thing that has to hold, for a person to read. */
export interface ChecklistLine {
  readonly check: string;
  /** `advice`: in order, and there is something to know about it. */
  readonly state: 'ok' | 'advice' | 'failed' | 'unknown';
  readonly detail: string;
  readonly fix?: string;
}
