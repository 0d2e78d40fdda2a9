import type { TourContext } from './tour-context.ts';
import { type TourResult, tourContext } from './tour-context.ts';

// Runs the tour and sends its result to the process that started it.
const env = Object.fromEntries(
  Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
);
const { runTour } = (await import(new URL('../tour.ts', import.meta.url).href)) as {
  runTour: (context: TourContext) => Promise<TourResult>;
};
const result = await runTour(tourContext(env, process.stdout));
process.send?.(result, undefined, undefined, () => process.exit(0));
