import { keyIdentifier } from '../key-vault/keys.ts';
import type { ResourceEvent, VaultEvent } from '../world.ts';

/** An event at the time it happened, before a schema is chosen. */
export interface PublishedEvent {
  readonly id: string;
  /** ISO 8601 with seven digits, as Azure writes it. */
  readonly time: string;
  /** ARM id of the vault or subscription. */
  readonly source: string;
  /** For a vault's event, only the name of the key, without type and version. */
  readonly subject: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/** Copies what the event says, since a key may change before the event is delivered. */
export function publishedEvent(event: VaultEvent | ResourceEvent, id: string, now: Date): PublishedEvent {
  if ('operation' in event) return resourceEvent(event, id, now);

  const { vault, version } = event;
  const keyName = vault.keys.get(event.keyName.toLowerCase())?.name ?? event.keyName;

  return {
    id,
    time: now.toISOString().replace('Z', '0000Z'),
    source: vault.id,
    subject: keyName,
    type: event.type,
    data: {
      Id: keyIdentifier(vault, keyName, version.version),
      VaultName: vault.name,
      ObjectType: 'Key',
      ObjectName: keyName,
      Version: version.version,
      // Azure does not document what a key without these shows. The SDKs' optional numbers allow null.
      NBF: version.nbf ?? null,
      EXP: version.exp ?? null,
    },
  };
}

/** A subscription's event as documented, with `resourcegroups` in lower case, as in the sample of a write. */
function resourceEvent(event: ResourceEvent, id: string, now: Date): PublishedEvent {
  const { subscriptionId, kind, resourceId, operation, claims, correlationId, httpRequest } = event;
  const subject = kind === 'Write' ? resourceId.replace(/\/resourceGroups\//i, '/resourcegroups/') : resourceId;

  return {
    id,
    time: now.toISOString().replace('Z', '0000Z'),
    source: `/subscriptions/${subscriptionId}`,
    subject,
    type: `Microsoft.Resources.Resource${kind}Success`,
    data: {
      authorization: { scope: subject, action: operation, evidence: { role: 'Subscription Admin' } },
      claims,
      correlationId,
      ...(httpRequest ? { httpRequest } : {}),
      resourceProvider: operation.split('/')[0],
      resourceUri: subject,
      operationName: operation,
      status: 'Succeeded',
      subscriptionId,
      tenantId: claims['http://schemas.microsoft.com/identity/claims/tenantid'],
    },
  };
}

/** The body of a delivery and its content type: an array of one event, or one CloudEvent. */
export function deliveryBody(event: PublishedEvent, schema: string): { body: string; contentType: string } {
  if (schema.toLowerCase().startsWith('cloudevent')) {
    return { body: JSON.stringify(cloudEvent(event)), contentType: 'application/cloudevents+json; charset=utf-8' };
  }
  return { body: JSON.stringify([eventGridEvent(event)]), contentType: 'application/json; charset=utf-8' };
}

/** One event in the Event Grid schema, with what dead-lettering adds. */
export function eventGridEvent(event: PublishedEvent, extra: Record<string, unknown> = {}): Record<string, unknown> {
  const { id, time, source, subject, type, data } = event;

  return {
    id,
    topic: source,
    subject,
    eventType: type,
    eventTime: time,
    data,
    dataVersion: type.startsWith('Microsoft.Resources.') ? '2' : '1',
    metadataVersion: '1',
    ...extra,
  };
}

/** The same event in the CloudEvents 1.0 schema. */
export function cloudEvent(event: PublishedEvent, extra: Record<string, unknown> = {}): Record<string, unknown> {
  const { id, time, source, subject, type, data } = event;
  return { id, source, subject, type, time, data, specversion: '1.0', ...extra };
}
