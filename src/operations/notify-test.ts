import { CmkError, SettingsError } from '../errors.ts';
import { isTaken, saidOf } from '../notify/deliver.ts';
import { makeNotification } from '../notify/make-notification.ts';
import { render } from '../notify/render.ts';
import type { PostWebhook } from '../notify/webhook-client.ts';
import { type Environment, type NotifySettings, readNotify } from '../settings/settings.ts';

interface NotifyTest {
  readonly target: string;
  readonly kind: NotifySettings['targets'][number]['kind'];
  readonly notification: string;
  readonly status: number;
  /** The beginning of the answer's body. */
  readonly answer: string;
}

/**
 * Sends one notification to one target of `CMK_NOTIFY`, from where the operator sits: whether the document is right and the
 * receiver takes it, before the app has it.
 *
 * @throws {@link SettingsError} when the document is wrong
 * @throws {@link CmkError} `ArgumentInvalid` for a target that there is none of; `NotificationNotTaken` when the receiver
 * did not take it, with what it said
 */
export async function notifyTest(
  name: string,
  environment: Environment,
  {
    postWebhook,
    now,
    newId,
  }: { readonly postWebhook: PostWebhook; readonly now: () => Date; readonly newId: () => string },
): Promise<NotifyTest> {
  const { problems, targets } = readNotify(environment);
  if (problems.length > 0) throw new SettingsError(problems);
  const target = targets.find((one) => one.name === name);
  if (!target) {
    const known = targets.map((one) => one.name).join(', ');
    throw new CmkError(
      'ArgumentInvalid',
      targets.length === 0 ? 'CMK_NOTIFY is not set: it names the targets.' : `CMK_NOTIFY has no target "${name}".`,
      targets.length === 0 ? 'Set it to the document (docs/how-to/notifications.md).' : `Choose one of ${known}.`,
    );
  }
  const notification = makeNotification({
    event: [newId()],
    kind: 'test',
    time: now().toISOString(),
    subject: 'cmk-autopilot',
    severity: 'info',
    title: 'A test of cmk-autopilot',
    text: 'Nothing has happened: an operator tests whether notifications arrive.',
    data: { target: name },
  });
  const { headers, body } = render(notification, target, environment.CMK_FUNCTION_APP_ID || 'urn:cmk-autopilot', now());
  const answer = await postWebhook(target.address, headers, body);
  if (!isTaken(answer)) {
    const text = answer.text ? ` It said: ${answer.text}` : '';
    const next = 'Check the address of the target, and what its receiver expects.';
    throw new CmkError('NotificationNotTaken', `${name} ${saidOf(answer)}.${text}`, next);
  }
  const { status, text = '' } = answer;
  return { target: name, kind: target.kind, notification: notification.id, status, answer: text };
}
