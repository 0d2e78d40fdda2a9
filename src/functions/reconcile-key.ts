import { app } from '@azure/functions';
import { reconcileKey } from '../accounts/reconcile-key.ts';
import { probeKey } from '../effect/probe-work.ts';
import { KEY_WORK, parseKeyQueueWork } from '../work/messages.ts';
import { queueHandler } from './queue-message.ts';

app.storageQueue('reconcileKey', {
  queueName: KEY_WORK,
  connection: 'AzureWebJobsStorage',
  handler: queueHandler(KEY_WORK, parseKeyQueueWork, (work, services, log) =>
    work.kind === 'probe' ? probeKey(work, services, log) : reconcileKey(work, services, log),
  ),
});
