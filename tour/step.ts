import type { TourContext } from './context.ts';

/** One step of the tour: it does something as a client would, watches what comes of it, and says so in a line. */
export interface TourStep {
  /** What is done and what should come of it. */
  readonly title: string;
  /** Returns what was seen. Throws when what was promised did not come about. */
  run(context: TourContext): Promise<string>;
}

/** What was promised did not hold. */
export class TourError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TourError';
  }
}

/** @throws {@link TourError} unless `held` */
export function expectThat(held: boolean, otherwise: string): asserts held {
  if (!held) throw new TourError(otherwise);
}
