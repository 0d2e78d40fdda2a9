import { app } from '@azure/functions';
import { abortAfter, endBy } from '../azure/deadline.ts';
import { collectNotifications } from '../notify/collect.ts';
import { ONCE_A_YEAR } from '../settings/timer-schedules.ts';
import { availableServices, logOf } from './available-services.ts';
import { TIME_LIMITS } from './time-limits.ts';

/** An app without notifications need not wake every minute. */
const SCHEDULE = process.env.CMK_NOTIFY?.trim() ? '0 * * * * *' : ONCE_A_YEAR;

app.timer('collectNotifications', {
  schedule: SCHEDULE,
  handler: async (_timer, context) => {
    const log = logOf(context);
    const services = availableServices(log);
    await endBy(TIME_LIMITS.collect, () =>
      abortAfter((signal) => collectNotifications(services, log, signal), TIME_LIMITS.collect / 2),
    );
  },
});
