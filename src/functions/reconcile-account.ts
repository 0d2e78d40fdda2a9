import { app } from '@azure/functions';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { ACCOUNT_WORK, parseAccountWork } from '../work/messages.ts';
import { DONE, type Outcome } from '../work/outcome.ts';
import { queueHandler, WORK_CONNECTION } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

// Turns messages that version 2 left in its queue into work items.
app.storageQueue('reconcileAccount', {
  queueName: ACCOUNT_WORK,
  connection: WORK_CONNECTION,
  handler: queueHandler(ACCOUNT_WORK, parseAccountWork, (work, { settings, controller }) =>
    outcomeBy(TIME_LIMITS.accountWork, async (): Promise<Outcome> => {
      const subscription = parseStorageAccountId(work.account)?.subscriptionId;
      const key = work.key === undefined ? undefined : settings.vaults.key(work.key);
      if (!subscription || (work.kind === 'account' && !key)) {
        return { outcome: 'reject', reason: 'InvalidMessage', detail: 'It names no account and key that are managed.' };
      }
      await (key
        ? controller.request(subscription, 'key', key.id, work.cause)
        : controller.request(subscription, 'scopes', '', work.cause));
      return DONE;
    }),
  ),
});
