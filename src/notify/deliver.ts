import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import type { NotifyTarget } from '../settings/notify-targets.ts';
import type { NotifySettings } from '../settings/settings.ts';
import type { NotifyWork } from '../work/messages.ts';
import { DONE, type Outcome, toOutcome } from '../work/outcome.ts';
import { NOTIFICATION_RETRIES } from '../work/retry.ts';
import type { Outbox } from './outbox-client.ts';
import { render } from './render.ts';
import type { PostAnswer, PostWebhook } from './webhook-client.ts';

/** Attempts before a notification is given up: about twelve hours. */
const MOST_TRIES = 20;
/** Retry delay while the settings are invalid: a correction restarts the app. Seconds. */
const HELD_SECONDS = 300;

interface DeliverPorts {
  readonly settings: {
    readonly notify: NotifySettings;
    readonly drift: { readonly functionAppId: string | undefined };
  };
  readonly outbox: Pick<Outbox, 'read' | 'markSent'>;
  readonly postWebhook: PostWebhook;
  readonly now: () => Date;
}

/**
 * Sends a notification of the outbox to a target, unless the outbox marks it as sent. Sends again after a lost
 * answer, or after a crash before the mark: at least once, with the same id.
 */
export async function deliver(work: NotifyWork, ports: DeliverPorts, log: Log): Promise<Outcome> {
  const { targets, problems } = ports.settings.notify;
  const target = targets.find(({ name }) => name === work.target);
  if (target) return send(work, target, ports, log).catch(toOutcome);
  if (problems.length === 0) return drop(work, log);
  const detail = 'The setting CMK_NOTIFY is invalid.';
  return { outcome: 'retry', reason: 'NotificationsHeld', detail, counts: false, delaySeconds: HELD_SECONDS };
}

async function send(
  work: NotifyWork,
  target: NotifyTarget,
  { settings, outbox, postWebhook, now }: DeliverPorts,
  log: Log,
): Promise<Outcome> {
  const entry = await outbox.read(target.name, work.notification);
  if (!entry) return drop(work, log);

  const { notification, sentOn } = entry.value;
  if (sentOn !== undefined) return DONE;

  const source = settings.drift.functionAppId ?? 'urn:cmk-autopilot';
  const { headers, body } = render(notification, target, source, now());
  const answer = await postWebhook(target.address, headers, body);
  if (!isAccepted(answer)) return outcomeOfAnswer(answer, target.name, now());

  const about = { target: target.name, kind: notification.kind, notification: notification.id, status: answer.status };

  log({ level: 'info', reason: 'NotificationSent', message: REASONS.NotificationSent, ...about });

  // Done even if the outbox rejects the mark: the notification was sent.
  await outbox.markSent(target.name, entry, now()).catch(() => {});

  return DONE;
}

function drop({ target, notification }: NotifyWork, log: Log): Outcome {
  const message = REASONS.NotificationDropped;
  log({ level: 'warning', reason: 'NotificationDropped', message, target, notification });
  return DONE;
}

export function isAccepted(answer: PostAnswer): answer is PostAnswer & { status: number } {
  return answer.status !== undefined && answer.status >= 200 && answer.status < 300;
}

/** Returns the outcome of an answer. Redirects count as rejections. `410 Gone`: unsubscribe (Standard Webhooks). */
function outcomeOfAnswer(answer: PostAnswer, target: string, now: Date): Outcome {
  const about = { reason: 'NotificationNotTaken', detail: `${target} ${describeAnswer(answer)}.` } as const;
  if (answer.status === 410) return { outcome: 'reject', ...about };

  return {
    outcome: 'retry',
    ...about,
    counts: true,
    maxTries: MOST_TRIES,
    schedule: NOTIFICATION_RETRIES,
    delaySeconds: retryAfterSeconds(answer.retryAfter, now),
  };
}

/** Describes an answer without the address, which is a secret. */
export function describeAnswer({ status, failure }: PostAnswer): string {
  if (status === undefined) return `is unreachable (${failure ?? 'no answer'})`;
  if (status >= 300 && status < 400) return `answered ${status}: redirects are not followed`;
  return `answered ${status}`;
}

/** Parses `Retry-After` (RFC 9110): seconds or a date. */
function retryAfterSeconds(header: string | undefined, now: Date): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now.getTime()) / 1000));
}
