import { app } from '@azure/functions';
import { reconcileKey } from '../accounts/reconcile-key.ts';
import { probeKey } from '../effect/probe-work.ts';
import { contextLog } from '../log.ts';
import { services } from '../services.ts';
import { KEY_WORK, type KeyWork, type ProbeWork, parseKeyQueueWork } from '../work/messages.ts';
import { processWork } from '../work/process.ts';
import { received } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

app.storageQueue('reconcileKey', {
  queueName: KEY_WORK,
  connection: 'AzureWebJobsStorage',
  handler: async (entry, context) => {
    const log = contextLog(context);
    const run = (work: KeyWork | ProbeWork) =>
      outcomeBy(TIME_LIMITS.keyWork, () =>
        work.kind === 'probe' ? probeKey(work, services(), log) : reconcileKey(work, services(), log),
      );
    await processWork(KEY_WORK, received(entry, context), parseKeyQueueWork, run, services().queue, log);
  },
});
