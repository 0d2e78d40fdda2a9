import { app, type InvocationContext } from '@azure/functions';
import { acceptEvent, enqueueRotation } from '../events/enqueue-key.ts';
import { contextLog } from '../log.ts';
import { availableServices } from './available-services.ts';
import { eventHandler } from './time-limits.ts';

app.eventGrid<unknown>('keyNearExpiry', {
  handler: eventHandler(async (event: unknown, context: InvocationContext) => {
    const log = contextLog(context);
    const services = availableServices(log);
    const accepted = acceptEvent(event, 'Microsoft.KeyVault.KeyNearExpiry', services, log);
    if (accepted) await enqueueRotation(accepted, services, log);
  }),
});
