import { app } from '@azure/functions';
import { acceptEvent } from '../events/enqueue-key.ts';
import { contextLog } from '../log.ts';
import { rotateNearExpiry } from '../rotation/rotate-near-expiry.ts';
import { availableServices } from './available-services.ts';

app.eventGrid<unknown>('keyNearExpiry', {
  handler: async (event, context) => {
    const log = contextLog(context);
    const services = availableServices(log);
    const accepted = acceptEvent(event, 'Microsoft.KeyVault.KeyNearExpiry', services, log);
    // The new version raises an event of its own, which moves the accounts.
    if (accepted) await rotateNearExpiry(accepted.key, accepted.version, services, log);
  },
});
