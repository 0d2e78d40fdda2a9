import { describe, expect, it, vi } from 'vitest';
import type { DeadLetter } from '../../../local/azure/event-grid/dead-letter.ts';
import type { DeliveryFault } from '../../../local/azure/faults.ts';
import { eventGridFixture } from './fixture.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const until = (condition: () => void): Promise<void> => vi.waitFor(condition, { timeout: 5000, interval: 5 });

describe('a delivery', () => {
  it("A delivery sends one event in an array, in the Event Grid schema, to the destination's function", async () => {
    const { create, delivered, grid, subscribe, vault } = await eventGridFixture();

    subscribe();

    const version = create('files-key', 4_000_000_000);

    await until(() => expect(grid.events[0]?.outcome).toBe('delivered'));

    expect(delivered[0]?.path).toBe('/runtime/webhooks/eventgrid?functionName=keyNewVersionCreated');

    expect(delivered[0]?.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'aeg-event-type': 'Notification',
      'aeg-subscription-name': 'SUB',
      'aeg-delivery-count': '0',
    });

    expect(delivered[0]?.body).toEqual([
      {
        id: grid.events[0]?.id,
        topic: vault.id,
        subject: 'files-key',
        eventType: 'Microsoft.KeyVault.KeyNewVersionCreated',
        eventTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/),
        data: {
          Id: `https://kv-test.vault.azure.net/keys/files-key/${version.version}`,
          VaultName: 'kv-test',
          ObjectType: 'Key',
          ObjectName: 'files-key',
          Version: version.version,
          NBF: null,
          EXP: 4_000_000_000,
        },
        dataVersion: '1',
        metadataVersion: '1',
      },
    ]);

    expect(grid.events[0]).toMatchObject({
      type: 'Microsoft.KeyVault.KeyNewVersionCreated',
      subject: 'files-key',
      function: 'keyNewVersionCreated',
      attempts: [{ status: 202, durationMs: expect.any(Number) }],
    });
  });

  it('A delivery sends one CloudEvent if the subscription has that schema', async () => {
    const { create, delivered, subscribe, vault } = await eventGridFixture();
    subscribe({ eventDeliverySchema: 'CloudEventSchemaV1_0' });
    create('k1');
    await until(() => expect(delivered).toHaveLength(1));

    expect(delivered[0]?.headers['content-type']).toContain('application/cloudevents+json');

    expect(delivered[0]?.body).toMatchObject({
      specversion: '1.0',
      source: vault.id,
      type: 'Microsoft.KeyVault.KeyNewVersionCreated',
      data: { ObjectName: 'k1' },
    });
  });

  it.each<[string, Record<string, unknown>, number]>([
    ['no filter at all', { filter: undefined }, 1],
    ['another event type', { filter: { includedEventTypes: ['Microsoft.KeyVault.KeyExpired'] } }, 0],
    ['a subject prefix that fits', { filter: { subjectBeginsWith: 'FILES' } }, 1],
    ['a subject prefix that does not fit', { filter: { subjectBeginsWith: 'other' } }, 0],
    ['a subject suffix in another case', { filter: { subjectEndsWith: 'KEY', isSubjectCaseSensitive: true } }, 0],
    ['an advanced filter that fits', { filter: advanced('StringIn', ['FILES-KEY']) }, 1],
    ['an advanced filter that does not fit', { filter: advanced('StringBeginsWith', ['x']) }, 0],
    ['an advanced filter that excludes another', { filter: advanced('StringNotContains', ['x', 'z']) }, 1],
    ['an advanced filter that excludes it', { filter: advanced('StringNotContains', ['x', 'files']) }, 0],
    ['a range that its expiry is in', { filter: advanced('NumberInRange', [[3e9, 5e9]], 'data.EXP') }, 1],
    ['a range that its expiry is not in', { filter: advanced('NumberNotInRange', [[3e9, 5e9]], 'data.EXP') }, 0],
    ['a field that has to be null and is', { filter: advanced('IsNullOrUndefined', [], 'data.NBF') }, 1],
    ['an unknown operator', { filter: advanced('NotThere', ['files-key']) }, 0],
    ['a subscription that is still being made', { provisioningState: 'Creating' }, 0],
    ['a subscription that has expired', { expirationTimeUtc: '2020-01-01T00:00:00Z' }, 0],
  ])('An event subscription with %s gets the events that it selects', async (_what, properties, expected) => {
    const { create, delivered, grid, subscribe } = await eventGridFixture();
    subscribe(properties);
    subscribe({}, 'control');
    create('files-key', 4_000_000_000);
    await until(() => expect(delivered).toHaveLength(expected + 1));
    expect(grid.events).toHaveLength(expected + 1);
  });

  it('An event goes to each subscription of its own vault, and to no other', async () => {
    const { create, delivered, grid, subscribe, vault, world } = await eventGridFixture();
    subscribe({}, 'a');
    subscribe({}, 'b');
    const other = subscribe({}, 'c');
    world.eventSubscriptions.set(other.id.toLowerCase(), { ...other, topic: `${vault.id}x` });
    create('k1');
    await until(() => expect(delivered).toHaveLength(2));
    expect(new Set(grid.events.map(({ id }) => id)).size).toBe(1);
  });
});

describe('a failed delivery', () => {
  it('Event Grid retries a failed delivery on its schedule, with the count in a header', async () => {
    const { create, delivered, grid, replies, subscribe, world } = await eventGridFixture();

    subscribe();

    const waits = [10 * second, 30 * second, minute, 5 * minute, 10 * minute, 30 * minute, hour, 3 * hour, 6 * hour];

    replies.push(...waits.map(() => 500));
    create('k1');

    for (const [index, wait] of waits.entries()) {
      await until(() => expect(grid.events[0]?.attempts[index]?.status).toBe(500));
      world.clock.advance(wait - 500);

      expect(delivered).toHaveLength(index + 1);

      world.clock.advance(600);
      await until(() => expect(delivered).toHaveLength(index + 2));
    }

    await until(() => expect(grid.events[0]?.outcome).toBe('delivered'));

    expect(delivered.map(({ headers }) => headers['aeg-delivery-count'])).toEqual(
      waits.concat(0).map((_, n) => String(n)),
    );
  });

  it.each([
    [404, 5 * minute],
    [408, 2 * minute],
    [503, 30 * second],
    [500, 10 * second],
    [401, 10 * second],
    [302, 10 * second],
    [206, 10 * second],
  ])('After status %i Event Grid waits %i ms before it retries', async (status, wait) => {
    const { create, delivered, grid, replies, subscribe, world } = await eventGridFixture();
    subscribe();
    replies.push(status);
    create('k1');
    await until(() => expect(grid.events[0]?.attempts[0]?.status).toBe(status));
    world.clock.advance(wait - 500);
    expect(delivered).toHaveLength(1);
    world.clock.advance(600);
    await until(() => expect(grid.events[0]?.outcome).toBe('delivered'));
  });

  it('Event Grid drops an event after maxDeliveryAttempts', async () => {
    const { create, delivered, grid, replies, subscribe, world } = await eventGridFixture();
    subscribe({ retryPolicy: { maxDeliveryAttempts: 2, eventTimeToLiveInMinutes: 1440 } });
    replies.push(500, 500);
    create('k1');
    await until(() => expect(grid.events[0]?.attempts[0]?.status).toBe(500));
    world.clock.advance(10 * second);
    await until(() => expect(grid.events[0]?.outcome).toBe('dropped'));
    expect(grid.events[0]?.reason).toBe('MaxDeliveryAttemptsExceeded');
    expect(delivered).toHaveLength(2);
  });

  it.each<[string, Record<string, unknown>]>([
    ['WebHook', { endpointUrl: 'https://example.com/hook' }],
    ['StorageQueue', { resourceId: '/subscriptions/s/…/storageAccounts/st', queueName: 'q' }],
  ])('Event Grid makes no request to a %s, and records why', async (endpointType, properties) => {
    const { create, grid, subscribe } = await eventGridFixture();
    subscribe({ destination: { endpointType, properties } });
    create('k1');
    await until(() => expect(grid.events[0]?.attempts[0]?.error).toContain(`not to ${endpointType}`));
  });
});

describe('a dead letter', () => {
  const deadLetterDestination = {
    endpointType: 'StorageBlob',
    properties: {
      resourceId: '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/app',
      blobContainerName: 'cmk-deadletter',
    },
  };

  it('Event Grid writes a dead letter with its reason five minutes after the last attempt', async () => {
    const letters: DeadLetter[] = [];
    const writeDeadLetter = async (letter: DeadLetter) => {
      letters.push(letter);
    };
    const { create, grid, replies, subscribe, world } = await eventGridFixture({ writeDeadLetter });

    subscribe({ deadLetterDestination });
    replies.push(400);
    create('k1');
    await until(() => expect(grid.events[0]?.attempts[0]?.status).toBe(400));
    world.clock.advance(5 * minute - 2 * second);

    expect(grid.events[0]?.outcome).toBe('pending');

    world.clock.advance(3 * second);
    await until(() => expect(grid.events[0]?.outcome).toBe('dead-lettered'));

    const container = `${deadLetterDestination.properties.resourceId}/blobServices/default/containers/cmk-deadletter`;
    expect(grid.events[0]).toMatchObject({ reason: 'NotRetried: 400', deadLetterContainer: container });
    expect(letters[0]).toMatchObject({
      container,
      blobName: expect.stringMatching(/^SUB\/\d{4}\/\d\d\/\d\d\/\d\d\/.+\.json$/),
    });
    expect(JSON.parse(letters[0]?.body ?? '')).toMatchObject([
      { subject: 'k1', deadLetterReason: 'NotRetried: 400', deliveryAttempts: 1, lastDeliveryOutcome: 'BadRequest' },
    ]);
  });
});

describe('faults', () => {
  const ordered = (...faults: DeliveryFault[]) => ({ takeDelivery: () => faults.shift() });

  it('An event with the fault drop is never delivered', async () => {
    const { create, delivered, grid, subscribe, world } = await eventGridFixture(ordered({ drop: true }));
    subscribe();
    create('lost');
    create('k1');
    await until(() => expect(delivered).toHaveLength(1));
    world.clock.advance(24 * hour);
    expect(delivered.map(({ keyName }) => keyName)).toEqual(['k1']);
    expect(grid.events[0]).toMatchObject({ outcome: 'dropped', attempts: [] });
  });

  it("An event with the fault reorder is delivered after the subscription's next event", async () => {
    const { create, delivered, subscribe } = await eventGridFixture(ordered({ reorder: true }));
    subscribe();
    create('first');
    create('second');
    await until(() => expect(delivered).toHaveLength(2));
    expect(delivered.map(({ keyName }) => keyName)).toEqual(['second', 'first']);
  });
});

function advanced(operatorType: string, values: unknown[], key = 'data.ObjectName') {
  return { advancedFilters: [{ operatorType, key, values }] };
}
