import { app, type InvocationContext } from '@azure/functions';
import { acceptEvent } from '../events/enqueue-key.ts';
import { contextLog } from '../log.ts';
import { rotateNearExpiry } from '../rotation/rotate-near-expiry.ts';
import { services } from '../services.ts';
import { eventHandler } from './time-limits.ts';

app.eventGrid<unknown>('keyNearExpiry', {
  handler: eventHandler(async (event: unknown, context: InvocationContext) => {
    const log = contextLog(context);
    const accepted = acceptEvent(event, 'Microsoft.KeyVault.KeyNearExpiry', services(), log);
    // The new version raises an event of its own, which moves the accounts.
    if (accepted) await rotateNearExpiry(accepted.key, accepted.version, services(), log);
  }),
});
