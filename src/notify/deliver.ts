import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { NotifyTarget } from '../settings/notify-targets.ts';
import type { NotifySettings } from '../settings/settings.ts';
import type { NotifyWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import type { Outbox } from './outbox-client.ts';
import { render } from './render.ts';
import type { PostAnswer, PostWebhook } from './webhook-client.ts';

/**
 * Tries until a notification is given up, and with them the retry window: 15 s, 30 s, 1, 2, 4, 8, 15, 30 minutes, then every
 * hour, for about twelve hours. Standard Webhooks recommends hours to days.
 */
const MOST_TRIES = 20;
const LONGEST_DELAY_SECONDS = 3_600;
/** A receiver may ask for more than that, but not for longer. Seconds. */
const LONGEST_RETRY_AFTER_SECONDS = 6 * 3_600;
/** While the settings are wrong: an operator who corrects them restarts the app. Seconds. */
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
 * Sends one notification of the outbox to one target, unless the target has it already. A notification is sent again when the answer is lost, or when the process dies before the outbox says that it is sent:
 * at least once, under the same id.
 */
export async function deliver(work: NotifyWork, ports: DeliverPorts, log: Log): Promise<Outcome> {
  const { notify } = ports.settings;
  const target = notify.targets.find(({ name }) => name === work.target);
  if (!target) return withoutTarget(work, notify, log);
  try {
    return await send(work, target, ports, log);
  } catch (error) {
    return outcomeOfFailure(error);
  }
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
  if (!isTaken(answer)) return outcomeOfAnswer(answer, work, target.name, now());
  const about = { target: target.name, kind: notification.kind, notification: notification.id };
  log({
    level: 'info',
    reason: 'NotificationSent',
    message: REASONS.NotificationSent,
    ...about,
    status: answer.status,
  });
  // It is sent, whether or not the outbox can say so.
  await outbox.markSent(target.name, entry, now()).catch(() => {});
  return DONE;
}

function withoutTarget(work: NotifyWork, { problems }: NotifySettings, log: Log): Outcome {
  if (problems.length > 0) {
    const [reason, detail, delaySeconds] = ['NotificationsHeld', 'CMK_NOTIFY is wrong.', HELD_SECONDS] as const;
    return { outcome: 'retry', reason, detail, counts: false, delaySeconds };
  }
  return drop(work, log);
}

function drop({ target, notification }: NotifyWork, log: Log): Outcome {
  const message = REASONS.NotificationDropped;
  log({ level: 'warning', reason: 'NotificationDropped', message, target, notification });
  return DONE;
}

export function isTaken(answer: PostAnswer): answer is PostAnswer & { status: number } {
  return answer.status !== undefined && answer.status >= 200 && answer.status < 300;
}

/** A redirect is not followed, and counts as a refusal. `410 Gone`: the receiver wants no more (Standard Webhooks). */
function outcomeOfAnswer(
  answer: PostAnswer,
  { attempt, target: _ }: Pick<NotifyWork, 'attempt' | 'target'>,
  target: string,
  now: Date,
): Outcome {
  const detail = `${target} ${saidOf(answer)}.`;
  if (answer.status === 410) return { outcome: 'reject', reason: 'NotificationNotTaken', detail };
  const asked = Math.min(retryAfterSeconds(answer.retryAfter, now) ?? 0, LONGEST_RETRY_AFTER_SECONDS);
  return {
    outcome: 'retry',
    reason: 'NotificationNotTaken',
    detail,
    counts: true,
    maxTries: MOST_TRIES,
    delaySeconds: Math.max(delayAfter(attempt), asked),
  };
}

/** Without the address, which is a secret. */
export function saidOf({ status, failure }: PostAnswer): string {
  if (status === undefined) return `could not be reached (${failure ?? 'no answer'})`;
  if (status >= 300 && status < 400) return `answered ${status}: redirects are not followed`;
  return `answered ${status}`;
}

/** Seconds to wait after the try of that number, from 0. */
function delayAfter(attempt: number): number {
  const minutes = [0.25, 0.5, 1, 2, 4, 8, 15, 30][attempt];
  return minutes === undefined ? LONGEST_DELAY_SECONDS : minutes * 60;
}

/** RFC 9110: seconds, or a date. */
function retryAfterSeconds(header: string | undefined, now: Date): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now.getTime()) / 1000));
}
