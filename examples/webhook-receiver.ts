import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';

// A receiver of the app's notifications: node examples/webhook-receiver.ts (Node 24, no dependency).
// CMK_WEBHOOK_SECRET: the `secret` of the target in CMK_NOTIFY. Put TLS in front of it: the app calls https alone.

/** Largest clock difference, in seconds: an older message may be a replay. */
const TOLERANCE_SECONDS = 300;
const MOST_BYTES = 64 * 1_024;
/** Ids that were taken. A service keeps them in a store for some days. */
const MOST_IDS = 10_000;

/** Whether a message has a valid signature of the Standard Webhooks scheme. Verify it before you parse the body. */
export function isSigned(headers: IncomingHttpHeaders, body: string, secret: string, now: Date): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') return false;

  const age = Math.abs(now.getTime() / 1_000 - Number(timestamp));
  if (!(age <= TOLERANCE_SECONDS)) return false;

  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest();

  // While a secret is replaced, the app signs with the old and the new one.
  return signatures.split(' ').some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ''), 'base64');
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** Answers 204 to each signed event, and hands it on once. */
export function createReceiver(secret: string, take: (event: { readonly type: string }) => void): Server {
  const taken = new Set<string>();

  return createServer(async (request, response) => {
    const answer = (status: number) => response.writeHead(status).end();
    try {
      let body = '';
      request.setEncoding('utf8');

      for await (const text of request) {
        body += text;
        if (body.length > MOST_BYTES) return answer(413);
      }

      if (request.method !== 'POST' || !isSigned(request.headers, body, secret, new Date())) return answer(401);

      const id = String(request.headers['webhook-id']);
      if (!taken.has(id)) {
        take(JSON.parse(body));
        taken.add(id);
      }

      const [oldest = ''] = taken;
      if (taken.size > MOST_IDS) taken.delete(oldest);

      return answer(204);
    } catch {
      // The app sends it again.
      return answer(500);
    }
  });
}

if (import.meta.main) {
  const { CMK_WEBHOOK_SECRET: secret, PORT = '8080' } = process.env;
  if (!secret) throw new Error('Set CMK_WEBHOOK_SECRET to the secret of the target.');
  createReceiver(secret, (event) => console.log(JSON.stringify(event))).listen(Number(PORT));
}
