import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { createWorld } from '../../../local/azure/create-world.ts';
import { createEventGrid, type EventGridOptions } from '../../../local/azure/event-grid/delivery.ts';
import { createKeyVersion } from '../../../local/azure/key-vault/keys.ts';
import type { EventSubscription, KeyVersion } from '../../../local/azure/world.ts';
import { testVault } from '../key-vault/fixture.ts';

/** A request that the stand-in for the Functions host got. */
export interface Delivered {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The event; of the Event Grid schema in an array. */
  readonly body: Record<string, unknown> & ArrayLike<Record<string, unknown>>;
  readonly keyName: string;
}

/** Answers a delivery: a status, or a function that answers when it likes. */
type Reply = number | ((response: ServerResponse) => void);

/** A vault with event subscriptions, Event Grid, and something that takes the deliveries. */
export async function eventGridFixture(options: Partial<EventGridOptions> = {}) {
  const delivered: Delivered[] = [];
  const replies: Reply[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));

    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString());
      const keyName = (Array.isArray(body) ? body[0] : body).subject;
      delivered.push({ path: request.url ?? '', headers: request.headers, body, keyName });
      const reply = replies.shift() ?? 202;
      if (typeof reply === 'function') reply(response);
      else response.writeHead(reply).end();
    });
  });

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const world = createWorld();
  const vault = testVault(world);
  const grid = createEventGrid(world, { functionsHost: () => base, takeDelivery: () => undefined, ...options });

  world.publish = grid.publish;
  onTestFinished(() => {
    grid.close();
    world.clock.stop();
    server.closeAllConnections();
    server.close();
  });

  const subscribe = (properties: Record<string, unknown> = {}, name = 'sub'): EventSubscription => {
    const id = `${vault.id}/providers/Microsoft.EventGrid/eventSubscriptions/${name}`;
    const site = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/app';
    const subscription: EventSubscription = {
      id,
      name,
      topic: vault.id,
      properties: {
        provisioningState: 'Succeeded',
        destination: {
          endpointType: 'AzureFunction',
          properties: { resourceId: `${site}/functions/keyNewVersionCreated`, maxEventsPerBatch: 1 },
        },
        filter: { includedEventTypes: ['Microsoft.KeyVault.KeyNewVersionCreated'] },
        eventDeliverySchema: 'EventGridSchema',
        ...properties,
      },
    };

    world.eventSubscriptions.set(id.toLowerCase(), subscription);

    return subscription;
  };

  const create = (keyName: string, exp?: number): KeyVersion => createKeyVersion(world, vault, keyName, { exp });

  return { world, vault, grid, delivered, replies, subscribe, create, base };
}
