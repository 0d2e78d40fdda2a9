import { CmkError, SettingsError } from '../../../errors/errors.ts';
import { describeAnswer, isAccepted } from '../../../notify/deliver.ts';
import { makeNotification } from '../../../notify/notification.ts';
import { render } from '../../../notify/render.ts';
import type { PostWebhook } from '../../../notify/webhook-client.ts';
import { type Environment, readNotify } from '../../../settings/settings.ts';

interface NotifyTestServices {
  readonly postWebhook: PostWebhook;
  readonly now: () => Date;
  readonly newId: () => string;
}

/**
 * Sends a test notification to one target of `CMK_NOTIFY` from the operator's machine. It shows, before a deployment,
 * whether the document is valid and the receiver accepts it.
 *
 * @returns result with the beginning of the answer's body
 * @throws {@link SettingsError} if the document is wrong
 * @throws {@link CmkError} `ArgumentInvalid` for an unknown target; `NotificationNotTaken`, with the answer, if the
 *   receiver did not accept it
 */
export async function notifyTest(
  name: string,
  environment: Environment,
  { postWebhook, now, newId }: NotifyTestServices,
) {
  const { problems, targets } = readNotify(environment);
  if (problems.length > 0) throw new SettingsError(problems);

  if (targets.length === 0) {
    const nextStep = 'Set it to the JSON document with the targets (docs/how-to/notifications.md).';
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
  if (!isAccepted(answer)) {
    const text = answer.text ? ` Its answer: ${answer.text}` : '';
    const next = 'Check the address of the target, and the format that its receiver expects.';
    throw new CmkError('NotificationNotTaken', `${name} ${describeAnswer(answer)}.${text}`, next);
  }

  const { status, text = '' } = answer;

  return { target: name, kind: target.kind, notification: notification.id, status, answer: text };
}
