import type { RecordedEntry } from '../audit/record.ts';
import { getAccountName } from '../azure/resource-id.ts';
import { REASONS } from '../errors/reasons.ts';
import { formatIdentifier } from '../keys/key-identifier.ts';
import type { NotificationKind } from '../settings/notify-targets.ts';
import { KEY_WORK } from '../work/messages.ts';
import { makeNotification, type Notification } from './notification.ts';

type Template = readonly [kind: NotificationKind, severity: Notification['severity'], title: string];

const revoked: Template = ['revoked', 'error', '{name} was revoked'];
const revocationIncomplete: Template = ['revocationIncomplete', 'error', 'The revocation of {name} is incomplete'];
const restored: Template = ['restored', 'warning', '{name} was restored'];
const stuck: Template = ['rotationStuck', 'error', 'The rotation of {name} is stuck'];

/** Templates by action and reason of an audit record. Rejections have none: a rejected caller could flood a channel. */
const TEMPLATES: Readonly<Record<string, Template>> = {
  'key.revoke Revoked': revoked,
  'key.revoke RevocationIncomplete': revocationIncomplete,
  'key.revoke VaultReadOnly': ['revocationIncomplete', 'error', '{name} could not be revoked: its vault is read-only'],
  'key.restore Restored': restored,
  'key.restore RestoreIncomplete': ['restoreIncomplete', 'error', 'The restore of {name} is incomplete'],
  'key.restore RestoreOvertaken': ['restoreIncomplete', 'error', 'A newer revocation overtook the restore of {name}'],
  'key.revokeRoles RolesRevoked': revoked,
  'key.revokeRoles RoleRevocationIncomplete': revocationIncomplete,
  'key.restoreRoles RolesRestored': restored,
  'key.restoreRoles RoleRestoreIncomplete': ['restoreIncomplete', 'error', 'The restore of {name} is incomplete'],
  'account.revoke AccountRevoked': revoked,
  'account.revoke AccountRevocationIncomplete': revocationIncomplete,
  'account.restore AccountRestored': restored,
  'key.rotation RotationFinished': ['rotationFinished', 'info', 'The rotation of {name} is finished'],
  'key.rotation RotationStuck': stuck,
  'key.rotation CanaryFailed': stuck,
  'key.rotation WaveFailed': stuck,
};

/** Returns the notification of an audit record; undefined if it has none. Omits the caller's token id. */
export function createFromRecord({
  id,
  time,
  entry,
}: Pick<RecordedEntry, 'id' | 'time' | 'entry'>): Notification | undefined {
  const { action, reason, resource, caller, correlationId, details = {} } = entry;
  const template = TEMPLATES[`${action} ${reason}`];
  if (!template) return undefined;

  const [kind, severity, title] = template;
  const sentence = reason in REASONS ? REASONS[reason as keyof typeof REASONS] : reason;

  // Unverified: reason and ticket come from a message of the work zone.
  const isClaimed = details.foundIn === KEY_WORK;
  const [why, ticket] = isClaimed ? [] : [textOf(details.why), textOf(details.ticket)];

  return makeNotification({
    // Two processes may record the same event: the entry's own id deduplicates them.
    event: [entry.id ?? id, reason],
    kind,
    severity,
    time,
    subject: resource,
    title: title.replace('{name}', () => formatNameOfKey(resource)),
    text: why === undefined ? sentence : `${sentence}\nReason given: ${why}`,
    data: {
      reason,
      ...(resource.startsWith('/') ? { key: textOf(details.key), account: resource } : { key: resource }),
      revocation: textOf(details.revocation) ?? textOf((details.revocation as { id?: unknown } | undefined)?.id),
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

/** Returns `kv-files/files-key` for a key, `stfiles01/scope1` for a scope's ARM id, or else the text itself. */
export function formatNameOfKey(resource: string): string {
  return formatIdentifier(resource) ?? getAccountName(resource);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
