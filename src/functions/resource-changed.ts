import { app, type InvocationContext } from '@azure/functions';
import { requestChanges } from '../drift/changes/change-rows.ts';
import { parseResourceEvent } from '../events/resource-event.ts';
import { availableServices, logOf } from './available-services.ts';
import { eventHandler } from './time-limits.ts';

/** Visibility delay of the message in seconds, so a single check covers all changes of a deployment. */
const TOGETHER_SECONDS = 1;

/** Time when the last message of this instance becomes visible: its check covers every change until then. */
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
