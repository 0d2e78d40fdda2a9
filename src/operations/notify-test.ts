import { CmkError, SettingsError } from '../errors.ts';
import { isTaken, saidOf } from '../notify/deliver.ts';
import { makeNotification } from '../notify/make-notification.ts';
import { render } from '../notify/render.ts';
import type { PostWebhook } from '../notify/webhook-client.ts';
import { type Environment, readNotify } from '../settings/settings.ts';

interface NotifyTestServices {
  readonly postWebhook: PostWebhook;
  readonly now: () => Date;
  readonly newId: () => string;
}

/**
 * Sends one notification to one target of `CMK_NOTIFY`, from where the operator sits: whether the document is right and the
 * receiver takes it, before the app has it.
 *
 * @returns among the rest the beginning of the answer's body
 * @throws {@link SettingsError} when the document is wrong
 * @throws {@link CmkError} `ArgumentInvalid` for a target that there is none of; `NotificationNotTaken` when the receiver
 * did not take it, with what it said
 */
export async function notifyTest(
  name: string,
  environment: Environment,
  { postWebhook, now, newId }: NotifyTestServices,
) {
  const { problems, targets } = readNotify(environment);
  if (problems.length > 0) throw new SettingsError(problems);
  if (targets.length === 0) {
    const nextStep = 'Set it to the document (docs/how-to/notifications.md).';
    throw new CmkError('ArgumentInvalid', 'CMK_NOTIFY is not set: it names the targets.', nextStep);
  }
  const target = targets.find((one) => one.name === name);
  if (!target) {
    const nextStep = `Choose one of ${targets.map((one) => one.name).join(', ')}.`;
    throw new CmkError('ArgumentInvalid', `CMK_NOTIFY has no target "${name}".`, nextStep);
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
