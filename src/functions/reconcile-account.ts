import { app } from '@azure/functions';
import { reconcileUnasked } from '../accounts/ask-scopes.ts';
import { reconcileAndNote } from '../accounts/reconcile-and-note.ts';
import { ACCOUNT_WORK, parseAccountQueueWork } from '../work/messages.ts';
import { queueHandler, WORK_CONNECTION } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

app.storageQueue('reconcileAccount', {
  queueName: ACCOUNT_WORK,
  connection: WORK_CONNECTION,
  handler: queueHandler(ACCOUNT_WORK, parseAccountQueueWork, (work, services, log) =>
    outcomeBy(TIME_LIMITS.accountWork, () =>
      work.kind === 'scopes' ? reconcileUnasked(work, services) : reconcileAndNote(work, services, log),
    ),
  ),
});
