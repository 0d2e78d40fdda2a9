import { app } from '@azure/functions';
import { timeBoxed, untilAborted } from '../azure/deadline.ts';
import { availableServices, logOf } from './available-services.ts';
import { TIME_LIMITS } from './time-limits.ts';

app.timer('sweep', {
  schedule: '0 */2 * * * *',
  handler: async (_timer, context) => {
    const log = logOf(context);
    const { controller } = availableServices(log);
    await timeBoxed((signal) => untilAborted(controller.sweep(log), signal), TIME_LIMITS.sweep);
  },
});
