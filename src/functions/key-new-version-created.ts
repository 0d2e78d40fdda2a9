import { app } from '@azure/functions';
import { acceptEvent, enqueueKey } from '../events/enqueue-key.ts';
import { contextLog } from '../log.ts';
import { services } from '../services.ts';

app.eventGrid<unknown>('keyNewVersionCreated', {
  handler: async (event, context) => {
    const log = contextLog(context);
    const accepted = acceptEvent(event, 'Microsoft.KeyVault.KeyNewVersionCreated', services(), log);
    if (accepted) await enqueueKey(accepted, services(), log);
  },
});
