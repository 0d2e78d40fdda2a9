import { app, type InvocationContext } from '@azure/functions';
import { acceptEvent } from '../events/key-vault-event.ts';
import { REASONS } from '../reasons.ts';
import { availableServices, logOf } from './available-services.ts';
import { eventSpan } from './spans.ts';
import { eventHandler } from './time-limits.ts';

app.eventGrid<unknown>('keyExpired', {
  handler: eventHandler(async (delivered: unknown, context: InvocationContext) => {
    const log = logOf(context);
    const since = new Date();
    const services = availableServices(log);
    const event = acceptEvent(delivered, 'Microsoft.KeyVault.KeyExpired', services, log);
    if (!event) return;
    log({
      level: 'error',
      reason: 'KeyExpired',
      message: `${REASONS.KeyExpired} Accounts that use it go on working, but Storage refuses it for anything new.`,
      key: event.key.id,
      version: event.version,
    });
    // Dependents that are still on the expired version move, should there be a newer one.
    const invocation = { traceContext: context.traceContext, since };
    const { key, cause } = event;
    await eventSpan(event, invocation, services, () => services.controller.handleEvent(key, cause, log));
  }),
});
