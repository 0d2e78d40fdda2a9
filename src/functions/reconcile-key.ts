import { app } from '@azure/functions';
import { checkKeyAgain } from '../drift/changes/change-rows.ts';
import { checkChanges } from '../drift/changes/check-changes.ts';
import { probeKey } from '../effect/probe-work.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { settleRevocation } from '../revocation/settle-revocation.ts';
import { rotateWhenDue } from '../rotation/rotate-when-due.ts';
import type { Services } from '../services.ts';
import { KEY_WORK, type KeyQueueWork, parseKeyQueueWork } from '../work/messages.ts';
import { DONE, type Outcome } from '../work/outcome.ts';
import { queueHandler, WORK_CONNECTION } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

app.storageQueue('reconcileKey', {
  queueName: KEY_WORK,
  connection: WORK_CONNECTION,
  handler: queueHandler(KEY_WORK, parseKeyQueueWork, (work, services, log) =>
    outcomeBy(TIME_LIMITS.keyWork, () => run(work, services, log)),
  ),
});

async function run(work: KeyQueueWork, services: Services, log: Log): Promise<Outcome> {
  switch (work.kind) {
    case 'key':
    // Messages of version 2.
    case 'rotation':
    case 'rekey':
      await services.controller.handleKeyMessage(work.key, work.cause, log);
      return DONE;
    case 'changes':
      await checkChanges(work.cause, services, log);
      return DONE;
    case 'rotate':
      return rotateWhenDue(work, services, log);
    case 'revocation': {
      const outcome = await settleRevocation(work, services, log);
      // Without it the hourly check finds what the revocation or restore has changed.
      if (outcome.outcome !== 'reject') await checkKeyAgain(work.key, work.cause, services).catch(() => {});
      return outcome;
    }
    case 'accountRevocation':
    case 'approval': {
      const reason = work.kind === 'approval' ? 'ApprovalsGone' : 'LegacyRevocation';
      log({ level: 'warning', reason, message: REASONS[reason], work });
      return DONE;
    }
    case 'probe':
      return probeKey(work, services, log);
  }
}
