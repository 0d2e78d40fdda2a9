import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import { type Cause, KEY_WORK, type KeyWork } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { type KeyEvent, type KeyEventType, parseKeyEvent } from './key-vault-event.ts';

type EventServices = { readonly settings: Settings; readonly queue: WorkQueue; readonly now: () => Date };

/**
 * Checks an event, and records why one is refused. A refused event counts as delivered: Event Grid would send the same one
 * again for a day, and it would be refused each time.
 */
export function acceptEvent(
  event: unknown,
  expected: KeyEventType,
  services: { readonly settings: Settings },
  log: Log,
): KeyEvent | undefined {
  const parsed = parseKeyEvent(event, expected, services.settings.vaults);
  if ('refused' in parsed) {
    log({ level: 'warning', reason: parsed.refused, message: `${REASONS[parsed.refused]} ${parsed.detail}` });
    return undefined;
  }
  return parsed;
}

/**
 * "Look at the key of this event."
 *
 * @param put puts the message into the queue
 */
export async function enqueueKey<T>(
  event: KeyEvent,
  services: { readonly now: () => Date },
  put: (work: KeyWork) => Promise<T>,
  log: Log,
): Promise<T> {
  const cause = causeOf(event, services);
  const begun = await put({ kind: 'key', key: event.key.id, cause, attempt: 0 });
  const message = `${shortType(event)} of ${event.key.id}: its dependents are looked at.`;
  log({ level: 'info', reason: 'EventAccepted', message, key: event.key.id, version: event.version, cause });
  return begun;
}

/** "Decide whether the key of this event is to be rotated." */
export async function enqueueRotation(event: KeyEvent, services: EventServices, log: Log): Promise<void> {
  const cause = causeOf(event, services);
  await services.queue.send(KEY_WORK, { kind: 'rotate', key: event.key.id, cause, attempt: 0 });
  const message = `${shortType(event)} of ${event.key.id}: whether it is to be rotated is looked at.`;
  log({ level: 'info', reason: 'EventAccepted', message, key: event.key.id, version: event.version, cause });
}

function causeOf(event: KeyEvent, { now }: Pick<EventServices, 'now'>): Cause {
  return { by: shortType(event), ref: event.id, since: event.time || now().toISOString() };
}

/** `KeyNewVersionCreated` of `Microsoft.KeyVault.KeyNewVersionCreated`. */
function shortType(event: KeyEvent): string {
  return event.type.slice(event.type.lastIndexOf('.') + 1);
}
