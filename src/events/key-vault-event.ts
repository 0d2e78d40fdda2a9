import { sameResource } from '../azure/resource-id.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { type ManagedKey, type ManagedVaults, managedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import type { Cause } from '../work/messages.ts';

/** Every Key Vault event about keys (Event Grid, "Azure Key Vault as Event Grid source"). */
export type KeyEventType =
  | 'Microsoft.KeyVault.KeyNewVersionCreated'
  | 'Microsoft.KeyVault.KeyNearExpiry'
  | 'Microsoft.KeyVault.KeyExpired';

/** A validated event about a key of a managed vault. */
export interface KeyEvent {
  readonly id: string;
  readonly type: KeyEventType;
  /** When Key Vault raised the event, according to the event. */
  readonly time: string;
  readonly key: ManagedKey;
  /** The event's key version: 32 characters, lower case. */
  readonly version: string;
}

interface RefusedEvent {
  readonly refused: Reason;
  /** The error, with at most one line of the event's content. */
  readonly detail: string;
}

/**
 * Validates an event in the Event Grid schema or in CloudEvents 1.0. Ignores letter case and spaces in names, because
 * Azure's documentation, sample and specification differ. Only `data.Id` determines the key.
 */
export function parseKeyEvent(event: unknown, expected: KeyEventType, vaults: ManagedVaults): KeyEvent | RefusedEvent {
  const fields = lowerCaseFields(event);
  if (!fields) return refuse('EventMalformed', 'is not an object');
  const type = text(fields.get('type')) ?? text(fields.get('eventtype'));
  if (!type) return refuse('EventMalformed', 'has no type');
  if (type.toLowerCase() !== expected.toLowerCase()) return refuse('EventTypeUnknown', `has the type ${quote(type)}`);

  const source = text(fields.get('source')) ?? text(fields.get('topic'));
  if (!source) return refuse('EventMalformed', 'has no source or topic');
  const vault = vaults.all.find((candidate) => sameResource(candidate.id, source));
  if (!vault) return refuse('EventVaultNotManaged', `comes from ${quote(source)}`);

  const data = lowerCaseFields(fields.get('data'));
  const keyId = text(data?.get('id'));
  if (!data || !keyId) return refuse('EventMalformed', 'has no data.Id');
  const identifier = parseKeyIdentifier(keyId);
  if (!identifier?.version) return refuse('EventMalformed', `has a data.Id that is no key version: ${quote(keyId)}`);
  if (identifier.vaultUri !== vault.uri) {
    return vaults.byUri(identifier.vaultUri)
      ? refuse('EventVaultMismatch', `comes from ${vault.name} and names a key of ${identifier.vaultName}`)
      : refuse('EventVaultNotManaged', `names a key of ${quote(identifier.vaultName)}`);
  }
  const objectType = text(data.get('objecttype'));
  if (objectType && objectType.toLowerCase() !== 'key') {
    return refuse('EventMalformed', `is about a ${quote(objectType)}, not a key`);
  }
  return {
    id: text(fields.get('id'))?.slice(0, 128) ?? 'unknown',
    type: expected,
    time: validTime(text(fields.get('time')) ?? text(fields.get('eventtime'))),
    key: managedKey(vault, identifier.keyName),
    version: identifier.version,
  };
}

/** A validated event with the cause for its work. */
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
  const { key, version, type } = parsed;
  // Shortens `Microsoft.KeyVault.KeyNewVersionCreated` to `KeyNewVersionCreated`.
  const by = type.slice(type.lastIndexOf('.') + 1);
  const cause = { by, ref: parsed.id, since: parsed.time || now().toISOString() };
  log({ level: 'info', reason: 'EventAccepted', message: `${by} of ${key.id}.`, key: key.id, version, cause });
  return { ...parsed, cause };
}

function refuse(reason: Reason, detail: string): RefusedEvent {
  return { refused: reason, detail: `The event ${detail}.` };
}

function quote(value: string): string {
  return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value);
}

function lowerCaseFields(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value).map(([name, field]) => [name.trim().toLowerCase(), field]));
}

function text(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const trimmed = value.trim();
  return trimmed === '' ? undefined : trimmed;
}

/** The time is for display and measurement only, so an invalid time is omitted. */
function validTime(time: string | undefined): string {
  const parsed = Date.parse(time ?? '');
  return Number.isNaN(parsed) ? '' : new Date(parsed).toISOString();
}
