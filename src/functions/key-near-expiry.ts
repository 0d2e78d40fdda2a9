import { app, type InvocationContext } from '@azure/functions';
import { acceptEvent, enqueueRotation } from '../events/enqueue-key.ts';
import { availableServices, logOf } from './available-services.ts';
import { eventSpan } from './spans.ts';
import { eventHandler } from './time-limits.ts';

app.eventGrid<unknown>('keyNearExpiry', {
  handler: eventHandler(async (delivered: unknown, context: InvocationContext) => {
    const log = logOf(context);
    const since = new Date();
    const services = availableServices(log);
    const event = acceptEvent(delivered, 'Microsoft.KeyVault.KeyNearExpiry', services, log);
    if (!event) return;
    const invocation = { traceContext: context.traceContext, since };
    await eventSpan(event, invocation, services, () => enqueueRotation(event, services, log));
  }),
});
