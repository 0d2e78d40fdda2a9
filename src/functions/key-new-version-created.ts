import { app } from '@azure/functions';
import { describe, describeFailure } from '../azure/failure.ts';
import { acceptEvent, enqueueKey } from '../events/enqueue-key.ts';
import { contextLog } from '../log.ts';
import { keepRevoked } from '../revocation/keep-revoked.ts';
import { availableServices } from './available-services.ts';

app.eventGrid<unknown>('keyNewVersionCreated', {
  handler: async (event, context) => {
    const log = contextLog(context);
    const services = availableServices(log);
    const accepted = acceptEvent(event, 'Microsoft.KeyVault.KeyNewVersionCreated', services, log);
    if (!accepted) return;
    const { urgentKeys, audit, sleep } = services;
    try {
      // A revoked key is shut again at once, without a queue in between.
      await keepRevoked(accepted.key, { keys: urgentKeys, audit, sleep }, log);
    } catch (error) {
      // The worker does the same, and tries again for as long as it takes.
      const message = `The key could not be looked at at once: ${describe(describeFailure(error))}`;
      log({ level: 'warning', reason: 'ServiceUnavailable', message, key: accepted.key.id });
    }
    await enqueueKey(accepted, services, log);
  },
});
