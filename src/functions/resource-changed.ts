import { app, type InvocationContext } from '@azure/functions';
import { requestChanges } from '../drift/changes/change-rows.ts';
import { parseResourceEvent } from '../events/resource-event.ts';
import { availableServices, logOf } from './available-services.ts';
import { eventHandler } from './time-limits.ts';

/** Delay of the message, so that the changes of one deployment are checked together. Seconds. */
const TOGETHER_SECONDS = 1;

/** When the last message of this instance becomes visible: it covers each change that is stored by then. */
let visibleOn = 0;

app.eventGrid<unknown>('resourceChanged', {
  handler: eventHandler(async (delivered: unknown, context: InvocationContext) => {
    const log = logOf(context);
    const services = availableServices(log);
    const { settings, changes, now } = services;
    const { vaults, subscriptions, clientId, drift } = settings;
    const change = drift.watchChanges
      ? parseResourceEvent(delivered, { vaults, subscriptions, clientId, now })
      : undefined;
    if (!change) return;
    const notedOn = now();
    await changes.put([{ ...change, notedOn: notedOn.toISOString(), due: notedOn, attempts: 0 }]);
    if (visibleOn > now().getTime()) return;
    visibleOn = now().getTime() + TOGETHER_SECONDS * 1_000;
    const cause = { by: 'ResourceChanged', ref: change.id, since: change.changedBy.on };
    await requestChanges(services, cause, TOGETHER_SECONDS);
  }),
});
