import { Hono } from 'hono';
import type { Clock } from './clock.ts';
import type { Service, ServiceEnv } from './service.ts';

/** A name that nobody else has (RFC 2606): what the app sends its notifications to in a local run. */
export const RECEIVER_HOST = 'hooks.local-azure.example';

/** One request that the receiver took. */
export interface ReceivedNotification {
  /** ISO 8601, on the local Azure's clock. */
  readonly time: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** As it was sent: a signature is over its bytes. */
  readonly body: string;
}

/**
 * Somebody else's webhook: it takes every POST, keeps it, and answers 202. Faults make it fail, hang or lose its answer;
 * what a fault answers in its place is not taken.
 */
export class Receiver {
  readonly received: ReceivedNotification[] = [];
  readonly service: Service;

  constructor(clock: Clock) {
    const app = new Hono<ServiceEnv>();
    app.post('*', async (c) => {
      const { pathname, search } = new URL(c.req.url);
      const { received } = this;
      const body = await c.req.text();
      received.push({ time: clock.now().toISOString(), path: pathname + search, headers: c.req.header(), body });
      return c.body(null, 202);
    });
    this.service = app;
  }
}
