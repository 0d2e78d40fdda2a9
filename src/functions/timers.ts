import { app, type InvocationContext } from '@azure/functions';
import { abortAfter, untilAborted, withDeadline } from '../azure/deadline.ts';
import { describeError } from '../azure/failure.ts';
import { runDriftCheck } from '../drift/run-drift-check.ts';
import { type Log, logToConsole } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import { watchHsms } from '../events/watch-hsms.ts';
import { collectNotifications } from '../notify/collect.ts';
import type { Services } from '../services.ts';
import { createLogOf, getAvailableServices, getServices } from './available-services.ts';
import { TIME_LIMITS } from './time-limits.ts';

/**
 * Time limit of a drift check: Flex Consumption allows 30 minutes, and the check must still report its skipped parts.
 */
const DRIFT_CHECK_MS = 25 * 60_000;

/** Schedule of an unused timer: the function always exists, so it runs as rarely as possible. */
const ONCE_A_YEAR = '0 0 0 1 1 *';

type TimerRun = (services: Services, log: Log, signal: AbortSignal, context: InvocationContext) => Promise<unknown>;

/** @param ms milliseconds until the signal aborts: the run then ends, and the next run continues */
function onTimer(name: string, schedule: string, ms: number, run: TimerRun): void {
  app.timer(name, {
    schedule,
    handler: async (_timer, context) => {
      const log = createLogOf(context);
      const available = getAvailableServices(log);
      await abortAfter((signal) => run(available, log, signal, context), ms);
    },
  });
}

onTimer(
  'driftCheck',
  '0 0 * * * *',
  DRIFT_CHECK_MS,
  async (available, log, signal, { invocationId: id, traceContext }) => {
    const { telemetry } = available;
    await telemetry.ready();
    await telemetry.span('drift check', { parent: traceContext?.traceParent }, () =>
      runDriftCheck({ id, by: 'timer', signal }, available, log),
    );
  },
);

onTimer('sweep', '0 */2 * * * *', TIME_LIMITS.sweep, ({ controller }, log, signal) =>
  untilAborted(controller.sweep(log), signal),
);

const { CMK_VAULTS = '', CMK_NOTIFY } = process.env;
// Each run lists the keys of the Managed HSMs, and the versions of each key.
const hsmSchedule = /\/managedHSMs\//i.test(CMK_VAULTS) ? '0 */5 * * * *' : ONCE_A_YEAR;
onTimer('hsmWatch', hsmSchedule, TIME_LIMITS.hsmWatch / 2, (available, log, signal, context) =>
  withDeadline(TIME_LIMITS.hsmWatch, 'The function did not finish', () =>
    watchHsms(context.invocationId, available, log, signal),
  ),
);

onTimer(
  'collectNotifications',
  CMK_NOTIFY?.trim() ? '0 * * * * *' : ONCE_A_YEAR,
  TIME_LIMITS.collect / 2,
  (available, log, signal) =>
    withDeadline(TIME_LIMITS.collect, 'The function did not finish', () =>
      collectNotifications(available, log, signal),
    ),
);

// Not awaited: the host would start no function before this hook ends.
app.hook.appStart(() => {
  let available: Services;
  try {
    available = getServices();
  } catch {
    // Every function reports invalid settings.
    return;
  }

  available.controller.buildIndex().catch((error: unknown) => {
    const message = `${REASONS.FleetIndexUnavailable} ${describeError(error)}`;
    logToConsole({ level: 'warning', reason: 'FleetIndexUnavailable', message });
  });
});
