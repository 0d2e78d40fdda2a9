import { createHmac, timingSafeEqual } from 'node:crypto';
import { RECEIVER_HOST, type ReceivedNotification } from '../../local/azure/receiver.ts';

const SECRET = Buffer.alloc(32, 9);

/** One target of each kind, all of them at the receiver of the local Azure, each with a path of its own. */
export const TARGETS = [
  {
    name: 'siem',
    kind: 'webhook',
    address: `https://${RECEIVER_HOST}/siem?code=s3cret`,
    secret: `whsec_${SECRET.toString('base64')}`,
  },
  { name: 'ops', kind: 'teams', address: `https://${RECEIVER_HOST}/ops/s3cret` },
  {
    name: 'chat',
    kind: 'slack',
    address: `https://${RECEIVER_HOST}/chat/s3cret`,
    notifications: ['revoked', 'digest'],
  },
] as const;

export const CMK_NOTIFY = JSON.stringify({ targets: TARGETS });

/** As a receiver verifies it, by the specification of Standard Webhooks; the id of the message. */
export function verified({ headers, body }: ReceivedNotification): string {
  const { 'webhook-id': id = '', 'webhook-timestamp': timestamp = '', 'webhook-signature': signatures = '' } = headers;
  const expected = createHmac('sha256', SECRET).update(`${id}.${timestamp}.${body}`).digest();
  const good = signatures.split(' ').some((one) => {
    const [version, text = ''] = one.split(',');
    const given = Buffer.from(text, 'base64');
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!good) throw new Error('The signature is not right.');
  return id;
}
