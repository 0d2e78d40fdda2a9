import { app, type InvocationContext } from '@azure/functions';
import { acceptEvent } from '../events/key-vault-event.ts';
import { KEY_WORK } from '../work/messages.ts';
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
    const work = { kind: 'rotate', key: event.key.id, cause: event.cause, attempt: 0 } as const;
    await eventSpan(event, invocation, services, () => services.queue.send(KEY_WORK, work));
  }),
});
