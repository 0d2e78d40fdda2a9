import { app } from '@azure/functions';
import { reconcileKey } from '../accounts/reconcile-key.ts';
import { contextLog } from '../log.ts';
import { services } from '../services.ts';
import { KEY_WORK, parseKeyWork } from '../work/messages.ts';
import { processWork } from '../work/process.ts';
import { received } from './received.ts';

app.storageQueue('reconcileKey', {
  queueName: KEY_WORK,
  connection: 'AzureWebJobsStorage',
  handler: async (entry, context) => {
    const log = contextLog(context);
    const run = (work: Parameters<typeof reconcileKey>[0]) => reconcileKey(work, services(), log);
    await processWork(KEY_WORK, received(entry, context), parseKeyWork, run, services().queue, log);
  },
});
