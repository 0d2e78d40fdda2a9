import { runTour } from '../tour.ts';
import { tourContext } from './tour-context.ts';

// Runs the tour and sends its result to the process that started it.
const env: Record<string, string> = {};
for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
const result = await runTour(tourContext(env, process.stdout));
process.send?.(result, undefined, undefined, () => process.exit(0));
