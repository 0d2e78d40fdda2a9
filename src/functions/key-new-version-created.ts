import { app, type InvocationContext } from '@azure/functions';
import { describe, describeFailure } from '../azure/failure.ts';
import { acceptEvent } from '../events/enqueue-key.ts';
import { keepRevoked } from '../revocation/keep-revoked.ts';
import { lookAtOnce } from './at-once.ts';
import { availableServices, logOf } from './available-services.ts';
import { eventSpan } from './spans.ts';
import { endBy, eventHandler, TIME_LIMITS } from './time-limits.ts';

app.eventGrid<unknown>('keyNewVersionCreated', {
  handler: eventHandler(async (delivered: unknown, context: InvocationContext) => {
    const log = logOf(context);
    const since = new Date();
    const services = availableServices(log);
    const event = acceptEvent(delivered, 'Microsoft.KeyVault.KeyNewVersionCreated', services, log);
    if (!event) return;
    const { urgentKeys, audit, now, sleep } = services;
    try {
      // A revoked key is disabled again at once, without a queue in between.
      const look = () => keepRevoked(event.key, { keys: urgentKeys, audit, now, sleep }, log);
      await endBy(TIME_LIMITS.eventLook, look);
    } catch (error) {
      // The worker does the same, and tries again for as long as it takes.
      const message = `The key could not be looked at at once: ${describe(describeFailure(error))}`;
      log({ level: 'warning', reason: 'ServiceUnavailable', message, key: event.key.id });
    }
    const invocation = { traceContext: context.traceContext, since };
    await eventSpan(event, invocation, services, () => lookAtOnce(event, services, log));
  }),
});
