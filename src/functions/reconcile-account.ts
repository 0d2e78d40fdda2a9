import { app } from '@azure/functions';
import { reconcileAccount } from '../accounts/reconcile-account.ts';
import { contextLog } from '../log.ts';
import { services } from '../services.ts';
import { ACCOUNT_WORK, parseAccountWork } from '../work/messages.ts';
import { processWork } from '../work/process.ts';
import { received } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

app.storageQueue('reconcileAccount', {
  queueName: ACCOUNT_WORK,
  connection: 'AzureWebJobsStorage',
  handler: async (entry, context) => {
    const log = contextLog(context);
    const run = (work: Parameters<typeof reconcileAccount>[0]) =>
      outcomeBy(TIME_LIMITS.accountWork, () => reconcileAccount(work, services(), log));
    await processWork(ACCOUNT_WORK, received(entry, context), parseAccountWork, run, services().queue, log);
  },
});
