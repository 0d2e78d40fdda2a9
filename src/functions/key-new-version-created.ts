import { app, type InvocationContext } from '@azure/functions';
import { acceptEvent } from '../events/key-vault-event.ts';
import { availableServices, logOf } from './available-services.ts';
import { eventSpan } from './spans.ts';
import { eventHandler } from './time-limits.ts';

app.eventGrid<unknown>('keyNewVersionCreated', {
  handler: eventHandler(async (delivered: unknown, context: InvocationContext) => {
    const log = logOf(context);
    const since = new Date();
    const services = availableServices(log);
    const event = acceptEvent(delivered, 'Microsoft.KeyVault.KeyNewVersionCreated', services, log);
    if (!event) return;
    const { key, cause, version } = event;
    const invocation = { traceContext: context.traceContext, since };
    await eventSpan(event, invocation, services, () => services.controller.handleEvent(key, cause, log, version));
  }),
});
