import { app } from '@azure/functions';
import { timeBoxed, untilAborted } from '../azure/deadline.ts';
import { availableServices, logOf } from './available-services.ts';
import { TIME_LIMITS } from './time-limits.ts';

app.timer('sweep', {
  schedule: '0 */2 * * * *',
  handler: async (_timer, context) => {
    const log = logOf(context);
    const { controller, adoptVersion2 } = availableServices(log);
    const sweep = async () => {
      await adoptVersion2(log);
      await controller.sweep(log);
    };
    await timeBoxed((signal) => untilAborted(sweep(), signal), TIME_LIMITS.sweep);
  },
});
