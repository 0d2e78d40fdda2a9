import { app } from '@azure/functions';
import { reconcileKey } from '../accounts/reconcile-key.ts';
import { probeKey } from '../effect/probe-work.ts';
import { settleRevocation } from '../revocation/settle-revocation.ts';
import { rotateWhenDue } from '../rotation/rotate-when-due.ts';
import { KEY_WORK, parseKeyQueueWork } from '../work/messages.ts';
import { queueHandler } from './queue-message.ts';

app.storageQueue('reconcileKey', {
  queueName: KEY_WORK,
  connection: 'AzureWebJobsStorage',
  handler: queueHandler(KEY_WORK, parseKeyQueueWork, (work, services, log) => {
    switch (work.kind) {
      case 'key':
        return reconcileKey(work, services, log);
      case 'rotate':
        return rotateWhenDue(work, services, log);
      case 'revocation':
        return settleRevocation(work, services, log);
      case 'probe':
        return probeKey(work, services, log);
    }
  }),
});
