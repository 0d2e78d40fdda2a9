import { app } from '@azure/functions';
import { reconcileAccount } from '../accounts/reconcile-account.ts';
import { ACCOUNT_WORK, parseAccountWork } from '../work/messages.ts';
import { queueHandler } from './queue-message.ts';

app.storageQueue('reconcileAccount', {
  queueName: ACCOUNT_WORK,
  connection: 'AzureWebJobsStorage',
  handler: queueHandler(ACCOUNT_WORK, parseAccountWork, reconcileAccount),
});
