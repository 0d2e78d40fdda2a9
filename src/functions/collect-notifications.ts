import { app } from '@azure/functions';
import { timeBoxed } from '../azure/deadline.ts';
import { collectNotifications } from '../notify/collect.ts';
import { availableServices, logOf } from './available-services.ts';
import { endBy, TIME_LIMITS } from './time-limits.ts';

/** An app that notifies nobody is not woken for it every minute, but once a year: a function that is not there is another app. */
const SCHEDULE = process.env.CMK_NOTIFY?.trim() ? '0 * * * * *' : '0 0 0 1 1 *';

app.timer('collectNotifications', {
  schedule: SCHEDULE,
  handler: async (_timer, context) => {
    const log = logOf(context);
    const services = availableServices(log);
    await endBy(TIME_LIMITS.collect, () =>
      timeBoxed((signal) => collectNotifications(services, log, signal), TIME_LIMITS.collect / 2),
    );
  },
});
