import type { InvocationContext } from '@azure/functions';
import { describe, expect, it } from 'vitest';
import { useHost } from './fixture.ts';

const fixture = useHost();

const post = (body: unknown, headers: Record<string, string>, name = 'onEvent') =>
  fetch(`${fixture.url}/runtime/webhooks/EventGrid?functionName=${name}&code=anything`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const NOTIFICATION = { 'aeg-event-type': 'Notification' };
const event = (id: string) => ({ id, eventType: 'Test', data: { Id: `key-${id}`, Nested: { A: 1 } } });

describe('handshakes', () => {
  it('The host answers the validation of the Event Grid schema', async () => {
    const reply = await post([{ data: { validationCode: 'ABC' } }], { 'aeg-event-type': 'SubscriptionValidation' });
    expect(reply.status).toBe(200);
    expect(await reply.json()).toEqual({ validationResponse: 'ABC' });
  });

  it('The host answers the validation of CloudEvents, whose data is encoded twice', async () => {
    const body = { data: JSON.stringify({ validationCode: 'DEF' }) };
    const reply = await post(body, { 'aeg-event-type': 'SubscriptionValidation' });
    expect(await reply.json()).toEqual({ validationResponse: 'DEF' });
  });

  it('The host allows the origin that OPTIONS asks for', async () => {
    const reply = await fetch(`${fixture.url}/runtime/webhooks/eventgrid?functionName=onEvent`, {
      method: 'OPTIONS',
      headers: { 'WebHook-Request-Origin': 'eventgrid.azure.net' },
    });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('webhook-allowed-origin')).toBe('eventgrid.azure.net');
  });

  it.each([
    ['an unknown function', 'nothing', NOTIFICATION, 404],
    ['another case of the name', 'onevent', NOTIFICATION, 404],
    ['a function with another trigger', 'plain', NOTIFICATION, 404],
    ['no aeg-event-type', 'onEvent', {}, 400],
    ['another aeg-event-type', 'onEvent', { 'aeg-event-type': 'SubscriptionDeletion' }, 400],
  ])('The Event Grid webhook rejects %s', async (_what, name, headers, status) => {
    expect((await post([event('1')], headers as Record<string, string>, name)).status).toBe(status);
  });
});

describe('notifications', () => {
  it('A function gets each event unchanged, with its data as trigger metadata', async () => {
    const seen: unknown[] = [];
    fixture.handlers = {
      onEvent: (input: unknown, context: InvocationContext) => {
        seen.push([input, context.triggerMetadata]);
      },
    };
    expect((await post([event('1')], NOTIFICATION)).status).toBe(202);
    expect(seen).toEqual([[event('1'), { data: { id: 'key-1', nested: { a: 1 } } }]]);
  });

  it('A function gets the CloudEvent of a body that is no array', async () => {
    const seen: unknown[] = [];
    fixture.handlers = {
      onEvent: (input: unknown) => {
        seen.push(input);
      },
    };
    expect((await post({ specversion: '1.0', id: 'c' }, NOTIFICATION)).status).toBe(202);
    expect(seen).toEqual([{ specversion: '1.0', id: 'c' }]);
  });
});
