import { app } from '@azure/functions';
import { abortAfter } from '../azure/deadline.ts';
import { runDriftCheck } from '../drift/run-drift-check.ts';
import { driftSchedule } from '../settings/timer-schedules.ts';
import { availableServices, logOf } from './available-services.ts';

/**
 * A timer's run may take as long as the host allows: 30 minutes on Flex Consumption. It ends itself before that, and says
 * what it did not get to.
 */
const DEADLINE_MS = 25 * 60_000;

app.timer('driftCheck', {
  // Not `%CMK_DRIFT_SCHEDULE%`: with that, an app without the setting would have no functions at all.
  schedule: driftSchedule(process.env),
  handler: async (_timer, context) => {
    const log = logOf(context);
    const services = availableServices(log);
    const run = { id: context.invocationId, by: 'timer' } as const;
    const { telemetry } = services;
    await telemetry.ready();
    await telemetry.span('drift check', { parent: context.traceContext?.traceParent }, () =>
      abortAfter((signal) => runDriftCheck({ ...run, signal }, services, log), DEADLINE_MS),
    );
  },
});
