import { expect, it } from 'vitest';
import { RECEIVER_HOST } from '../../local/azure/receiver.ts';
import { CMK_NOTIFY, verified } from '../notify/targets.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { runCmk } from '../support/run-cmk.ts';

const local = useLocalAzure();
const cmk = (target: string, document = CMK_NOTIFY) =>
  runCmk(undefined, ['admin', 'test-notification', target], { env: { CMK_NOTIFY: document } });

it('cmk notify sends a test to one target, and prints the answer', async () => {
  expect(await cmk('siem')).toEqual({ code: 0, out: 'siem accepted it (HTTP 202).\n', err: '' });
  const [event, ...others] = local.azure.received;
  expect(others).toEqual([]);
  expect(event && JSON.parse(event.body)).toMatchObject({ type: 'CmkAutopilot.Test', id: event && verified(event) });
});

it('cmk notify prints the answer of a receiver that rejects the test', async () => {
  const answer = { status: 400, headers: { 'content-type': 'text/plain' }, body: 'invalid_payload' };
  local.azure.faults.add([{ match: { host: RECEIVER_HOST }, times: 1, answer }]);
  const { code, err } = await cmk('chat');
  expect(code).toBe(3);
  expect(err).toContain('chat answered 400. Its answer: invalid_payload');
  expect(err).not.toContain('s3cret');
});

it('cmk notify prints the errors of the document, and the targets that exist', async () => {
  expect(await cmk('pager')).toMatchObject({ code: 2, err: expect.stringContaining('Choose one of siem, ops, chat.') });
  expect(await cmk('siem', '')).toMatchObject({ code: 2, err: expect.stringContaining('CMK_NOTIFY is not set') });
  expect(await cmk('siem', '{"targets":[]}')).toMatchObject({
    code: 2,
    err: expect.stringContaining('targets: is empty'),
  });
});
