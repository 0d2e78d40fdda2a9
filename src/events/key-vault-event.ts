import { z } from 'zod';
import { isSameResource } from '../azure/resource-id.ts';
import type { Log } from '../errors/log.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { createManagedKey, type ManagedKey, type ManagedVaults } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import type { Cause } from '../work/messages.ts';
import type { EVENT_FUNCTIONS } from './subscription.ts';

/** Every Key Vault event about keys (Event Grid, "Azure Key Vault as Event Grid source"). */
export type KeyEventType = (typeof EVENT_FUNCTIONS)[number]['eventType'];

/** A validated event about a key of a managed vault. */
interface KeyEvent {
  readonly id: string;
  readonly type: KeyEventType;
  /** When Key Vault raised the event, according to the event; undefined if that is no time. */
  readonly time: string | undefined;
  readonly key: ManagedKey;
  /** The event's key version: 32 characters, lower case. */
  readonly version: string;
}

interface RefusedEvent {
  readonly refused: Reason;
  /** The error, with at most one line of the event's content. */
  readonly detail: string;
}

const text = z.string().trim().min(1);
const EVENT = z.object({
  id: text.catch('unknown').transform((id) => id.slice(0, 128)),
  type: text,
  source: text,
  data: z.object({ id: text, objecttype: z.string().trim().toLowerCase().catch('') }),
  /** For display and measurement only, so an invalid time is omitted. */
  time: z
    .string()
    .pipe(z.coerce.date())
    .transform((time) => time.toISOString())
    .optional()
    .catch(undefined),
});

/**
 * Validates an event in the Event Grid schema or in CloudEvents 1.0. Ignores letter case and spaces in names, because
 * Azure's documentation, sample and specification differ. Only `data.Id` determines the key.
 */
export function parseKeyEvent(event: unknown, expected: KeyEventType, vaults: ManagedVaults): KeyEvent | RefusedEvent {
  const fields = lowerCaseFields(event);

  // The Event Grid schema has other names for three fields of CloudEvents.
  const { eventtype, topic, eventtime, type = eventtype, source = topic, time = eventtime } = fields;
  const parsed = EVENT.safeParse({ ...fields, type, source, time, data: lowerCaseFields(fields.data) });
  if (!parsed.success) {
    return refuse('EventMalformed', `has no valid field ${parsed.error.issues[0]?.path.join('.')}`);
  }

  const { id, data, ...read } = parsed.data;
  if (read.type.toLowerCase() !== expected.toLowerCase()) {
    return refuse('EventTypeUnknown', `has the type ${quote(read.type)}`);
  }

  const vault = vaults.all.find((candidate) => isSameResource(candidate.id, read.source));
  if (!vault) return refuse('EventVaultNotManaged', `comes from ${quote(read.source)}`);

  const identifier = parseKeyIdentifier(data.id);
  if (!identifier?.version) return refuse('EventMalformed', `has a data.Id that is no key version: ${quote(data.id)}`);

  if (identifier.vaultUri !== vault.uri) {
    return vaults.byUri(identifier.vaultUri)
      ? refuse('EventVaultMismatch', `comes from ${vault.name} and names a key of ${identifier.vaultName}`)
      : refuse('EventVaultNotManaged', `names a key of ${quote(identifier.vaultName)}`);
  }

  if (data.objecttype !== '' && data.objecttype !== 'key') {
    return refuse('EventMalformed', `is about a ${quote(data.objecttype)}, not a key`);
  }

  const key = createManagedKey(vault, identifier.keyName);

  return { id, type: expected, time: read.time, key, version: identifier.version };
}

export interface AcceptedEvent extends KeyEvent {
  readonly cause: Cause;
}

/**
 * Validates an event, and logs the reason of a rejection. A rejected event counts as delivered. Otherwise Event Grid
 * would send it again for a day, and the app would reject it each time.
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

  const { key, version, type, id, time } = parsed;

  // Shortens `Microsoft.KeyVault.KeyNewVersionCreated` to `KeyNewVersionCreated`.
  const by = type.slice(type.lastIndexOf('.') + 1);
  const cause = { by, ref: id, since: time ?? now().toISOString() };

  log({ level: 'info', reason: 'EventAccepted', message: `${by} of ${key.id}.`, key: key.id, version, cause });

  return { ...parsed, cause };
}

function refuse(reason: Reason, detail: string): RefusedEvent {
  return { refused: reason, detail: `The event ${detail}.` };
}

function quote(value: string): string {
  return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value);
}

/** The fields of an object by name in lower case; none of anything else. */
function lowerCaseFields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name.trim().toLowerCase(), field]));
}
