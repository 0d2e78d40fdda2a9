import type { RecordedEntry } from '../audit/trail-filter.ts';
import { accountNameOf } from '../azure/resource-id.ts';
import { nameOfIdentifier } from '../keys/key-identifier.ts';
import { REASONS } from '../reasons.ts';
import type { NotificationKind } from '../settings/notify-targets.ts';
import { KEY_WORK } from '../work/messages.ts';
import { makeNotification } from './make-notification.ts';
import type { Notification } from './notification.ts';

interface Template {
  readonly kind: NotificationKind;
  readonly severity: Notification['severity'];
  readonly title: (name: string) => string;
}

const revoked: Template = { kind: 'revoked', severity: 'error', title: (name) => `${name} was revoked` };
const revocationIncomplete: Template = {
  kind: 'revocationIncomplete',
  severity: 'error',
  title: (name) => `The revocation of ${name} is incomplete`,
};
const restored: Template = { kind: 'restored', severity: 'warning', title: (name) => `${name} was restored` };
const restoreIncomplete: Template = {
  kind: 'restoreIncomplete',
  severity: 'error',
  title: (name) => `The restore of ${name} is incomplete`,
};
const overtaken: Template = {
  kind: 'restoreIncomplete',
  severity: 'error',
  title: (name) => `The restore of ${name} was overtaken by a newer revocation`,
};
const stuck: Template = {
  kind: 'rotationStuck',
  severity: 'error',
  title: (name) => `The rotation of ${name} does not go on`,
};

/** Audit records that are notified, by action and reason. Refusals are not: a rejected caller could flood a channel. */
const TEMPLATES: Readonly<Record<string, Template>> = {
  'key.revoke Revoked': revoked,
  'key.revoke RevocationIncomplete': revocationIncomplete,
  'key.restore Restored': restored,
  'key.restore RestoreIncomplete': restoreIncomplete,
  'key.restore RestoreOvertaken': overtaken,
  'account.revoke AccountRevoked': revoked,
  'account.revoke AccountRevocationIncomplete': revocationIncomplete,
  'account.restore AccountRestored': restored,
  'key.rotation RotationFinished': {
    kind: 'rotationFinished',
    severity: 'info',
    title: (name) => `The rotation of ${name} is finished`,
  },
  'key.rotation RotationStuck': stuck,
  'key.rotation CanaryFailed': stuck,
  'key.rotation WaveFailed': stuck,
};

/** The notification of an audit record; undefined: there is none. The id of the caller's token is left out. */
export function fromRecord({
  id,
  time,
  entry,
}: Pick<RecordedEntry, 'id' | 'time' | 'entry'>): Notification | undefined {
  const { action, reason, resource, caller, correlationId } = entry;
  const template = TEMPLATES[`${action} ${reason}`];
  if (!template) return undefined;
  const details = entry.details ?? {};
  const revocation = details.revocation;
  const sentence = reason in REASONS ? REASONS[reason as keyof typeof REASONS] : reason;
  // A message of the work zone claimed them.
  const isClaimed = details.foundIn === KEY_WORK;
  const [why, ticket] = isClaimed ? [] : [textOf(details.why), textOf(details.ticket)];
  return makeNotification({
    // Where one event may be recorded by two, its own id says that it is one.
    event: [entry.id ?? id, reason],
    kind: template.kind,
    time,
    subject: resource,
    severity: template.severity,
    title: template.title(nameOfKey(resource)),
    text: why === undefined ? sentence : `${sentence}\nReason given: ${why}`,
    data: {
      reason,
      ...keyOf(resource, details.key),
      revocation: textOf(revocation) ?? textOf((revocation as { id?: unknown } | undefined)?.id),
      why,
      ticket,
      by: caller?.objectId,
      byKind: caller?.kind,
      byName: caller?.name,
      client: caller?.appId,
      version: textOf(details.version),
      startedOn: textOf(details.startedOn),
      moved: numberOf(details.moved),
      waiting: numberOf(details.waiting),
      failed: numberOf(details.failed),
      leftToStorage: numberOf(details.left),
      correlationId,
    },
  });
}

/** The key that it is about, and the account where it is one below the key. */
function keyOf(resource: string, key: unknown): { readonly key: string | undefined; readonly account?: string } {
  return resource.startsWith('/') ? { key: textOf(key), account: resource } : { key: resource };
}

/** `kv-files/files-key` of a key's identifier, `stfiles01/scope1` of the ARM id of a scope; what is none stays as it is. */
export function nameOfKey(resource: string): string {
  return nameOfIdentifier(resource) ?? accountNameOf(resource);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
