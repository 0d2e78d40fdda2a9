import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import type { Cause } from '../work/messages.ts';
import { type KeyEvent, type KeyEventType, parseKeyEvent } from './key-vault-event.ts';

/** An event that was checked, and the cause of what comes of it. */
export interface AcceptedEvent extends KeyEvent {
  readonly cause: Cause;
}

/**
 * Checks an event, and records why one is refused. A refused event counts as delivered: Event Grid would send the same one
 * again for a day, and it would be refused each time.
 */
export function acceptEvent(
  event: unknown,
  expected: KeyEventType,
  { settings, now }: { readonly settings: Pick<Settings, 'vaults'>; readonly now: () => Date },
  log: Log,
): AcceptedEvent | undefined {
  const parsed = parseKeyEvent(event, expected, settings.vaults);
  if ('refused' in parsed) {
    log({ level: 'warning', reason: parsed.refused, message: `${REASONS[parsed.refused]} ${parsed.detail}` });
    return undefined;
  }
  const { key, version, type } = parsed;
  // `KeyNewVersionCreated` of `Microsoft.KeyVault.KeyNewVersionCreated`.
  const by = type.slice(type.lastIndexOf('.') + 1);
  const cause = { by, ref: parsed.id, since: parsed.time || now().toISOString() };
  log({ level: 'info', reason: 'EventAccepted', message: `${by} of ${key.id}.`, key: key.id, version, cause });
  return { ...parsed, cause };
}
