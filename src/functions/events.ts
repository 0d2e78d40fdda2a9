import { app } from '@azure/functions';
import { requestChanges } from '../drift/changes/change-rows.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import { type AcceptedEvent, acceptEvent, type KeyEventType } from '../events/key-vault-event.ts';
import { parseResourceEvent } from '../events/resource-event.ts';
import type { Services } from '../services.ts';
import { KEY_WORK } from '../work/messages.ts';
import { createLogOf, getAvailableServices } from './available-services.ts';
import { wrapEventHandler } from './time-limits.ts';

/** Registers a function for a type of events; each event starts a trace below the host's span. */
function onKeyEvent(
  name: string,
  type: KeyEventType,
  handle: (event: AcceptedEvent, services: Services, log: Log) => Promise<void>,
): void {
  app.eventGrid<unknown>(name, {
    handler: wrapEventHandler(async (delivered, context) => {
      const log = createLogOf(context);
      const since = new Date();
      const services = getAvailableServices(log);
      const event = acceptEvent(delivered, type, services, log);
      if (!event) return;

      const { telemetry } = services;

      await telemetry.ready();

      const attributes = { 'cmk.key': event.key.id, 'cmk.event': event.id };
      const place = { parent: context.traceContext?.traceParent, since, attributes };

      await telemetry.span(type, place, () => handle(event, services, log));
    }),
  });
}

onKeyEvent(
  'keyNewVersionCreated',
  'Microsoft.KeyVault.KeyNewVersionCreated',
  ({ key, cause, version }, { controller }, log) => controller.handleEvent(key, cause, log, version),
);

onKeyEvent('keyNearExpiry', 'Microsoft.KeyVault.KeyNearExpiry', ({ key, cause }, { queue }) =>
  queue.send(KEY_WORK, { kind: 'rotate', key: key.id, cause }),
);

onKeyEvent('keyExpired', 'Microsoft.KeyVault.KeyExpired', ({ key, cause, version }, { controller }, log) => {
  const message = `${REASONS.KeyExpired} Accounts that use it keep working, but Storage rejects it for new accounts.`;
  log({ level: 'error', reason: 'KeyExpired', message, key: key.id, version });
  // Dependents of the expired version move to a newer version, if the key has a newer version.
  return controller.handleEvent(key, cause, log);
});

/** Visibility delay of the message in seconds, so a single check covers all changes of a deployment. */
const TOGETHER_SECONDS = 1;

/** Time when the last message of this instance becomes visible: its check covers every change until then. */
let visibleOn = 0;

app.eventGrid<unknown>('resourceChanged', {
  handler: wrapEventHandler(async (delivered, context) => {
    const log = createLogOf(context);
    const services = getAvailableServices(log);
    const { settings, changes, now } = services;
    const { vaults, subscriptions, clientId, drift } = settings;
    const change = drift.watchChanges
      ? parseResourceEvent(delivered, { vaults, subscriptions, clientId, now })
      : undefined;
    if (!change) return;

    await changes.put([{ ...change, notedOn: now().toISOString() }]);

    if (visibleOn > now().getTime()) return;

    visibleOn = now().getTime() + TOGETHER_SECONDS * 1_000;

    const cause = { by: 'ResourceChanged', ref: change.id, since: change.changedBy.on };

    await requestChanges(services, cause, TOGETHER_SECONDS);
  }),
});
