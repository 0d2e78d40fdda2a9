import type { RecordedEntry } from '../audit/record.ts';
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
  title: (name) => `A newer revocation overtook the restore of ${name}`,
};
const stuck: Template = {
  kind: 'rotationStuck',
  severity: 'error',
  title: (name) => `The rotation of ${name} is stuck`,
};

/** Templates by action and reason of an audit record. Rejections have none: a rejected caller could flood a channel. */
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

/** Returns the notification of an audit record; undefined if it has none. Omits the caller's token id. */
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
  // Unverified: reason and ticket come from a message of the work zone.
  const isClaimed = details.foundIn === KEY_WORK;
  const [why, ticket] = isClaimed ? [] : [textOf(details.why), textOf(details.ticket)];
  return makeNotification({
    // Two processes may record the same event: the entry's own id deduplicates them.
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

/** Returns the key of a record, and the account if the resource is an account. */
function keyOf(resource: string, key: unknown): { readonly key: string | undefined; readonly account?: string } {
  return resource.startsWith('/') ? { key: textOf(key), account: resource } : { key: resource };
}

/** Returns `kv-files/files-key` for a key, `stfiles01/scope1` for a scope's ARM id, or else the text itself. */
export function nameOfKey(resource: string): string {
  return nameOfIdentifier(resource) ?? accountNameOf(resource);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
