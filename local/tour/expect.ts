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
