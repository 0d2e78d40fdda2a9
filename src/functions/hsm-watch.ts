import { app } from '@azure/functions';
import { abortAfter, endBy } from '../azure/deadline.ts';
import { watchHsms } from '../events/watch-hsms.ts';
import { hsmWatchSchedule } from '../settings/timer-schedules.ts';
import { availableServices, logOf } from './available-services.ts';
import { TIME_LIMITS } from './time-limits.ts';

app.timer('hsmWatch', {
  schedule: hsmWatchSchedule(process.env),
  handler: async (_timer, context) => {
    const log = logOf(context);
    const services = availableServices(log);
    await endBy(TIME_LIMITS.hsmWatch, () =>
      abortAfter((signal) => watchHsms(context.invocationId, services, log, signal), TIME_LIMITS.hsmWatch / 2),
    );
  },
});
