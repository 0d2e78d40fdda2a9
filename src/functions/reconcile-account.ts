import { app } from '@azure/functions';
import { reconcileAccount } from '../accounts/reconcile-account.ts';
import { ACCOUNT_WORK, parseAccountWork } from '../work/messages.ts';
import { queueHandler } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

app.storageQueue('reconcileAccount', {
  queueName: ACCOUNT_WORK,
  connection: 'AzureWebJobsStorage',
  handler: queueHandler(ACCOUNT_WORK, parseAccountWork, (work, services, log) =>
    outcomeBy(TIME_LIMITS.accountWork, () => reconcileAccount(work, services, log)),
  ),
});
