import type { TourContext } from './context.ts';

/** One step of the tour: it does something as a client would, watches what comes of it, and says so in a line. */
export interface TourStep {
  /** What is done and what should come of it. */
  readonly title: string;
  /** Returns what was seen. Throws when what was promised did not come about. */
  run(context: TourContext): Promise<string>;
}
