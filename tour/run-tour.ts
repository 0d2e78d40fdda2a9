import type { TourContext as RunContext, TourResult } from '../local/run/tour-context.ts';
import { breakGlassSteps } from './break-glass-steps.ts';
import { TourContext } from './context.ts';
import { driftSteps } from './drift-steps.ts';
import { rotationSteps } from './rotation-steps.ts';
import { Screen } from './screen.ts';
import type { TourStep } from './step.ts';

const STEPS: readonly TourStep[] = [...rotationSteps, ...breakGlassSteps, ...driftSteps];

/** Shows what the app does, as a client of the local Azure and of the app. A step that fails does not stop the others. */
export async function runTour({ env, host, out, token }: RunContext): Promise<TourResult> {
  const screen = new Screen(out);
  const context = new TourContext(env, screen, token);
  let ok = 0;

  for (const [index, step] of STEPS.entries()) {
    screen.line(`\n${index + 1}. ${step.title}`);
    try {
      screen.line(`   ok: ${await step.run(context)}`);
      ok += 1;
    } catch (error) {
      screen.line(`   FAILED: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  screen.line(`\nAll of it in a browser: ${host}/ (sign in as operator; there is no password)\n`);
  return { steps: STEPS.length, ok };
}
