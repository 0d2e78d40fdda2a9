import { app } from '@azure/functions';
import { recordDeeds } from '../approvals/record-deeds.ts';
import { probeKey } from '../effect/probe-work.ts';
import { settleBelowKey } from '../identities/settle-below-key.ts';
import type { Log } from '../log.ts';
import { carryOutRekey } from '../rekey/carry-out.ts';
import { settleRevocation } from '../revocation/settle-revocation.ts';
import { followRotation } from '../rollout/follow-rotation.ts';
import { rotateWhenDue } from '../rotation/rotate-when-due.ts';
import type { Services } from '../services.ts';
import { KEY_WORK, type KeyQueueWork, type KeyWork, parseKeyQueueWork } from '../work/messages.ts';
import type { Outcome } from '../work/outcome.ts';
import { KeyLookAtOnce } from './at-once.ts';
import { queueHandler, WORK_CONNECTION } from './queue-message.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

app.storageQueue('reconcileKey', {
  queueName: KEY_WORK,
  connection: WORK_CONNECTION,
  handler: queueHandler(KEY_WORK, parseKeyQueueWork, async (work, services, log) => {
    if (work.kind !== 'key') return outcomeBy(TIME_LIMITS.keyWork, () => run(work, services, log));
    const look = new KeyLookAtOnce(services, log);
    const outcome = await look.run(work);
    await look.settled();
    return outcome;
  }),
});

function run(work: Exclude<KeyQueueWork, KeyWork>, services: Services, log: Log): Promise<Outcome> {
  switch (work.kind) {
    case 'rotate':
      return rotateWhenDue(work, services, log);
    case 'revocation':
      return settleRevocation(work, services, log);
    case 'accountRevocation':
      return settleBelowKey(work, services, log);
    case 'rekey':
      return carryOutRekey(work, services, log);
    case 'approval':
      return recordDeeds(work, services, log);
    case 'rotation':
      return followRotation(work, services, log);
    case 'probe':
      return probeKey(work, services, log);
  }
}
