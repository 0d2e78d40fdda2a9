import { app, type InvocationContext } from '@azure/functions';
import { acceptEvent, enqueueRotation } from '../events/enqueue-key.ts';
import { contextLog } from '../log.ts';
import { availableServices } from './available-services.ts';
import { eventHandler } from './time-limits.ts';

app.eventGrid<unknown>('keyNearExpiry', {
  handler: eventHandler(async (delivered: unknown, context: InvocationContext) => {
    const log = contextLog(context);
    const services = availableServices(log);
    const event = acceptEvent(delivered, 'Microsoft.KeyVault.KeyNearExpiry', services, log);
    if (event) await enqueueRotation(event, services, log);
  }),
});
