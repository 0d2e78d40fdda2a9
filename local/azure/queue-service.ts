import { Hono } from 'hono';
import { FileServiceError } from './file-service/errors.ts';
import { refusal, reply, requireAccount } from './file-service/reply.ts';
import { element, xmlDocument } from './file-service/xml.ts';
import type { Service, ServiceEnv } from './service.ts';
import { requireRight, requireServiceKey } from './storage/service-key.ts';
import { timestamp } from './timestamp.ts';
import type { World } from './world.ts';

const XML = { 'content-type': 'application/xml' };

/** The part of the queue service that customer-managed keys affect: create a queue, put and peek a message. */
export function createQueueService(world: World): Service {
  const app = new Hono<ServiceEnv>();
  app.all('*', async (c) => {
    const { method } = c.req;
    const url = new URL(c.req.url);
    try {
      const account = requireAccount(world, url.host);
      const [name = '', part] = url.pathname.split('/').filter(Boolean);
      const caller = c.get('caller');

      if (name !== '' && part === undefined && method === 'PUT') {
        requireRight(world, account, caller, 'queueServices/queues/write', 'action');
        if (!account.queues.has(name)) account.queues.set(name, []);
        return reply(201);
      }

      if (part !== 'messages' || (method !== 'GET' && method !== 'POST')) {
        throw new FileServiceError(400, 'InvalidUri', 'The local queue service makes queues, puts and peeks messages.');
      }

      const verb = method === 'GET' ? 'read' : 'add/action';

      requireRight(world, account, caller, `queueServices/queues/messages/${verb}`);

      const messages = account.queues.get(name);
      if (!messages) throw new FileServiceError(404, 'QueueNotFound', 'The specified queue does not exist.');

      requireServiceKey(world, account, 'queue');

      if (method === 'GET') {
        return reply(
          200,
          listed(
            messages.map((text) => ({ text })),
            world,
          ),
          XML,
        );
      }

      const [, text = ''] = /<MessageText>([^<]*)<\/MessageText>/.exec(await c.req.text()) ?? [];

      messages.push(text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'));

      return reply(201, listed([{}], world), XML);
    } catch (error) {
      if (!(error instanceof FileServiceError)) throw error;
      return refusal(error, method);
    }
  });

  return app;
}

function listed(messages: readonly { text?: string }[], world: World): string {
  const now = new Date(timestamp(world.clock.nowMs())).toUTCString();
  const entries = messages.map(({ text }) =>
    element('QueueMessage', [
      element('MessageId', crypto.randomUUID()),
      element('InsertionTime', now),
      element('ExpirationTime', now),
      element('DequeueCount', '0'),
      ...(text === undefined
        ? [element('PopReceipt', 'local'), element('TimeNextVisible', now)]
        : [element('MessageText', text)]),
    ]),
  );

  return xmlDocument(element('QueueMessagesList', entries));
}
