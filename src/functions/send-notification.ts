import { app } from '@azure/functions';
import { deliver } from '../notify/deliver.ts';
import { NOTIFY_WORK, parseNotifyWork } from '../work/messages.ts';
import { queueHandler, WORK_CONNECTION } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

app.storageQueue('sendNotification', {
  queueName: NOTIFY_WORK,
  connection: WORK_CONNECTION,
  handler: queueHandler(NOTIFY_WORK, parseNotifyWork, (work, services, log) =>
    outcomeBy(TIME_LIMITS.notification, () => deliver(work, services, log)),
  ),
});
