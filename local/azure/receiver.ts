import { Hono } from 'hono';
import type { Clock } from './clock.ts';
import type { Service, ServiceEnv } from './service.ts';

/** The host of the app's notifications in a local run: a reserved name (RFC 2606). */
export const RECEIVER_HOST = 'hooks.local-azure.example';

/** A notification that the receiver accepted. */
export interface ReceivedNotification {
  /** ISO 8601, on the local Azure's clock. */
  readonly time: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as sent, since a signature covers them. */
  readonly body: string;
}

/**
 * A webhook outside Azure: it accepts every POST, keeps it, and answers 202. Faults make it fail, hang or lose its
 * answer. It does not keep a request that a fault answers.
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
