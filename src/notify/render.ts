import { createHmac } from 'node:crypto';
import type { NotifyTarget } from '../settings/notify-targets.ts';
import type { Notification } from './notification.ts';
import { slackMessage } from './slack-message.ts';
import { teamsMessage } from './teams-message.ts';

/** The HTTP request for a receiver. */
interface Rendered {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Renders a notification for its receiver.
 *
 * @param source source of the notification: the app's ARM id, as a URI reference
 * @param now time of the attempt; each attempt has a new signature
 */
export function render(
  notification: Notification,
  { kind, secrets }: Pick<NotifyTarget, 'kind' | 'secrets'>,
  source: string,
  now: Date,
): Rendered {
  switch (kind) {
    case 'teams':
      return { headers: JSON_TYPE, body: JSON.stringify(teamsMessage(notification)) };
    case 'slack':
      return { headers: JSON_TYPE, body: JSON.stringify(slackMessage(notification)) };
    case 'webhook': {
      const body = JSON.stringify(cloudEvent(notification, source));
      const signed = sign(notification.id, now, body, secrets);
      return { headers: { 'content-type': 'application/cloudevents+json; charset=utf-8', ...signed }, body };
    }
  }
}

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };

/** CloudEvents 1.0, structured content mode (JSON event format). */
function cloudEvent({ id, kind, time, subject, severity, title, text, data }: Notification, source: string): object {
  return {
    specversion: '1.0',
    id,
    source,
    type: `CmkAutopilot.${kind.charAt(0).toUpperCase()}${kind.slice(1)}`,
    subject,
    time,
    datacontenttype: 'application/json',
    data: { severity, title, text, ...data },
  };
}

/** Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks), one signature for each secret. */
function sign(id: string, now: Date, body: string, secrets: readonly Buffer[]): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  );
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}
