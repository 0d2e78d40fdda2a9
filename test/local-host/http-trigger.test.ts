import { request as httpRequest } from 'node:http';
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { describe, expect, it } from 'vitest';
import { useHost } from './fixture.ts';

const fixture = useHost();

describe('routes', () => {
  it.each([
    ['a function that does not exist', 'GET', '/api/nothing'],
    ['a path without the prefix', 'GET', '/plain'],
    ['a method that the function does not take', 'DELETE', '/api/plain'],
    ['HEAD where only GET and POST are taken', 'HEAD', '/api/plain'],
    ['a path that is longer than the route', 'GET', '/api/echo/1/2'],
  ])('The Functions host answers 404 to %s', async (_what, method, path) => {
    const reply = await fetch(fixture.url + path, { method });
    expect(reply.status).toBe(404);
    expect(await reply.text()).toBe('');
  });

  it('The Functions host tries routes in the order of the function names', async () => {
    fixture.handlers = { 'a-item': () => ({ body: 'a-item' }), 'z-special': () => ({ body: 'z-special' }) };
    const reply = await fetch(`${fixture.url}/api/items/special`);
    expect(await reply.text()).toBe('a-item');
  });
});

describe('requests', () => {
  const echo = async (request: HttpRequest): Promise<HttpResponseInit> => ({
    jsonBody: {
      method: request.method,
      url: request.url,
      query: Object.fromEntries(request.query),
      params: request.params,
      header: request.headers.get('x-test'),
      body: await request.text(),
    },
  });

  const ask = async (path: string, init?: RequestInit) => {
    fixture.handlers = { echo };
    const reply = await fetch(fixture.url + path, init);
    return (await reply.json()) as Record<string, unknown>;
  };

  it('A function gets the method, parameters, headers and body of a request', async () => {
    const seen = await ask('/API/Echo/a%20b?x=1', { method: 'POST', body: 'text', headers: { 'X-Test': 'yes' } });
    expect(seen).toEqual({
      method: 'POST',
      url: `${fixture.url}/API/Echo/a%20b?x=1`,
      query: { x: '1' },
      params: { id: 'a b' },
      header: 'yes',
      body: 'text',
    });
  });

  it('The Functions host drops a body without Content-Length', async () => {
    fixture.handlers = { echo };
    const body = await new Promise<string>((resolve, reject) => {
      const request = httpRequest(`${fixture.url}/api/echo`, { method: 'POST' }, (reply) => {
        reply.setEncoding('utf8');
        let text = '';
        reply.on('data', (chunk: string) => {
          text += chunk;
        });
        reply.on('end', () => resolve(text));
      });

      request.on('error', reject);
      request.flushHeaders(); // chunked from here on
      request.end('lost');
    });

    expect(JSON.parse(body)).toMatchObject({ method: 'POST', body: '' });
  });
});

describe('replies', () => {
  it('The Functions host answers 204 when the function returns nothing', async () => {
    fixture.handlers = { plain: () => undefined };
    const reply = await fetch(`${fixture.url}/api/plain`);
    expect(reply.status).toBe(204);
  });

  it('The Functions host answers 500 with an empty body when the function throws, and logs the error', async () => {
    fixture.handlers = {
      plain: () => {
        throw new Error('inner secret');
      },
    };

    const reply = await fetch(`${fixture.url}/api/plain`);
    expect(reply.status).toBe(500);
    expect(await reply.text()).toBe('');
    expect(fixture.logs.find(({ level }) => level === 'error')).toMatchObject({
      category: 'Function.plain',
      message: expect.stringMatching(/^Executed 'Functions.plain' \(Failed, .*inner secret/),
    });
  });

  it('The Functions host sends the status, headers and JSON that a function returns', async () => {
    fixture.handlers = { plain: () => ({ status: 418, headers: { 'X-Pot': 'tea' }, jsonBody: { a: 1 } }) };
    const reply = await fetch(`${fixture.url}/api/plain`);
    expect(reply.status).toBe(418);
    expect(reply.headers.get('x-pot')).toBe('tea');
    expect(reply.headers.get('content-type')).toBe('application/json');
    expect(await reply.json()).toEqual({ a: 1 });
  });
});

it('An invocation hook can replace the function and read its result', async () => {
  const seen: unknown[] = [];
  fixture.handlers = {
    plain: () => ({ body: 'original' }),
    preInvocation: (context: { functionHandler: unknown }) => {
      context.functionHandler = () => ({ body: 'swapped' });
    },
    postInvocation: (context: { result: unknown }) => {
      seen.push(context.result);
    },
  };

  expect(await (await fetch(`${fixture.url}/api/plain`)).text()).toBe('swapped');
  expect(seen).toEqual([{ body: 'swapped' }]);
});
