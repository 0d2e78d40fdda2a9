import { app } from '@azure/functions';
import { FLEET_WORK, parseFleetWork } from '../work/messages.ts';
import { DONE } from '../work/outcome.ts';
import { queueHandler, WORK_CONNECTION } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

app.storageQueue('reconcileSubscription', {
  queueName: FLEET_WORK,
  connection: WORK_CONNECTION,
  handler: queueHandler(FLEET_WORK, parseFleetWork, (work, { controller }, log) =>
    outcomeBy(TIME_LIMITS.keyWork, async () => {
      await controller.handleFleetMessage(work, log);
      return DONE;
    }),
  ),
});
