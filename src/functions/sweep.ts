import { app } from '@azure/functions';
import { abortAfter, untilAborted } from '../azure/deadline.ts';
import { sweepChanges } from '../drift/changes/change-rows.ts';
import { availableServices, logOf } from './available-services.ts';
import { TIME_LIMITS } from './time-limits.ts';

app.timer('sweep', {
  schedule: '0 */2 * * * *',
  handler: async (_timer, context) => {
    const log = logOf(context);
    const services = availableServices(log);
    const { controller, adoptVersion2 } = services;
    const sweep = async () => {
      await adoptVersion2(log);
      await controller.sweep(log);
      await sweepChanges(services);
    };
    await abortAfter((signal) => untilAborted(sweep(), signal), TIME_LIMITS.sweep);
  },
});
