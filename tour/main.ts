import { tourContext } from '../local/run/tour-context.ts';
import { runTour } from './run-tour.ts';

// Runs the tour and sends its result to the process that started it.
const env: Record<string, string> = {};
for (const [name, value] of Object.entries(process.env)) {
  if (value !== undefined) env[name] = value;
}
const result = await runTour(tourContext(env, process.stdout));
process.send?.(result, undefined, undefined, () => process.exit(0));
