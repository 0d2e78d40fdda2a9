import { app } from '@azure/functions';
import { FLEET_WORK, parseFleetWork } from '../work/messages.ts';
import { DONE } from '../work/outcome.ts';
import { queueHandler } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

app.storageQueue('reconcileSubscription', {
  queueName: FLEET_WORK,
  connection: 'AzureWebJobsStorage',
  handler: queueHandler(FLEET_WORK, parseFleetWork, (work, { controller }, log) =>
    outcomeBy(TIME_LIMITS.keyWork, async () => {
      await controller.handleFleetMessage(work, log);
      return DONE;
    }),
  ),
});
