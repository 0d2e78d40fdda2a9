import { sameResource } from '../azure/resource-id.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { type ManagedKey, type ManagedVaults, managedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import type { Cause } from '../work/messages.ts';

/** The Key Vault events about keys; there are no others (Event Grid, "Azure Key Vault as Event Grid source"). */
export type KeyEventType =
  | 'Microsoft.KeyVault.KeyNewVersionCreated'
  | 'Microsoft.KeyVault.KeyNearExpiry'
  | 'Microsoft.KeyVault.KeyExpired';

/** An event that passed every check: it is about a key of a managed vault. */
export interface KeyEvent {
  readonly id: string;
  readonly type: KeyEventType;
  /** When Key Vault raised it, as the event says. */
  readonly time: string;
  readonly key: ManagedKey;
  /** The version it is about: 32 characters, lower case. */
  readonly version: string;
}

interface RefusedEvent {
  readonly refused: Reason;
  /** What is wrong, without quoting more than a line of what was sent. */
  readonly detail: string;
}

/**
 * Checks an event in the Event Grid schema or as CloudEvents 1.0. Names are matched without letter case and trimmed, since
 * the documentation, its sample and the specification disagree about both; `data.Id` is the truth about the key.
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

/** The time is only shown and measured with, never decided on: one that cannot be read is left out. */
function validTime(time: string | undefined): string {
  const parsed = Date.parse(time ?? '');
  return Number.isNaN(parsed) ? '' : new Date(parsed).toISOString();
}
