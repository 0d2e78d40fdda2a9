import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MAX_BODY_BYTES, readJsonBody } from '../../src/http/json-body.ts';
import { HttpProblem } from '../../src/http/problem.ts';

const SCHEMA = z.strictObject({
  reason: z.string().min(3),
  ticket: z.string().optional(),
  confirm: z.string().regex(/^[^/]+\/[^/]+$/),
});
const RIGHT = { reason: 'key leaked', confirm: 'kv-files/files-key' };

function request(
  body: string | Buffer | null,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) {
  return new Request('http://localhost/', { method: 'POST', body, headers });
}

async function refusal(of: Parameters<typeof readJsonBody>[0]): Promise<HttpProblem> {
  const outcome = await readJsonBody(of, SCHEMA).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(HttpProblem);
  return outcome as HttpProblem;
}

describe('a JSON body', () => {
  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])(
    'A JSON body is parsed as %s',
    async (type) => {
      expect(await readJsonBody(request(JSON.stringify(RIGHT), { 'content-type': type }), SCHEMA)).toEqual(RIGHT);
    },
  );

  it.each([
    ['text/plain', {}],
    ['application/x-www-form-urlencoded', {}],
    ['application/json; charset=utf-16', {}],
    ['application/jsonp', {}],
    ['', {}],
    ['application/json', { 'content-encoding': 'gzip' }],
  ])('A body sent as "%s" %j is rejected', async (type, more) => {
    const sent = request(JSON.stringify(RIGHT), { 'content-type': type, ...more });
    expect(await refusal(sent)).toMatchObject({ status: 415, reason: 'BodyTypeUnsupported' });
  });

  it('A call without its JSON body is rejected', async () => {
    expect(await refusal(request(null))).toMatchObject({ status: 400, reason: 'BodyMissing' });
  });

  const latin1 = Buffer.from('{"reason":"\xff\xfe"}', 'latin1');

  it.each(['{', 'not json', '{"a":1,}', '\ufeff\ufeff{}', "{'a':1}", latin1])(
    'A body that is not JSON is rejected: %j',
    async (body) => {
      expect(await refusal(request(body))).toMatchObject({ status: 400, reason: 'BodyNotJson' });
    },
  );

  it('A JSON body is answered with every wrong field, unknown ones too', async () => {
    const problem = await refusal(request(JSON.stringify({ reason: 'x', confirm: 5, tikcet: '1' })));
    expect(problem).toMatchObject({ status: 400, reason: 'BodyInvalid' });
    expect(problem.extensions.issues).toEqual([
      { field: 'reason', message: expect.stringMatching(/>=3/) },
      { field: 'confirm', message: expect.stringMatching(/string/) },
      { field: '(body)', message: expect.stringMatching(/tikcet/) },
    ]);
  });

  it.each(['null', '[]', '"text"', '5', '{"__proto__":{"reason":"abc","confirm":"a/b"}}'])(
    'A JSON body of another form is rejected: %s',
    async (body) => {
      expect(await refusal(request(body))).toMatchObject({ status: 400, reason: 'BodyInvalid' });
    },
  );

  it('A JSON body over the size limit is rejected, whether or not its length was declared', async () => {
    const large = JSON.stringify({ ...RIGHT, reason: 'x'.repeat(MAX_BODY_BYTES) });
    expect(await refusal(request(large))).toMatchObject({ status: 413, reason: 'BodyTooLarge' });
    const declared = new Headers({ 'content-type': 'application/json', 'content-length': '999999' });
    expect(await refusal({ headers: declared, body: null })).toMatchObject({ status: 413 });
  });

  it('A JSON body of an endless stream is aborted at the size limit', async () => {
    let sent = 0;

    async function* endless() {
      for (;;) {
        sent += 1024;
        yield new Uint8Array(1024);
      }
    }

    const headers = new Headers({ 'content-type': 'application/json' });
    expect(await refusal({ headers, body: endless() })).toMatchObject({ status: 413 });
    expect(sent).toBeLessThanOrEqual(MAX_BODY_BYTES + 1024);
  });

  it('A JSON body of any JSON and any bytes is either valid or rejected with 400', async () => {
    const bodies = fc.oneof(
      fc.json(),
      fc.string(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    );

    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        expect((await refusal(request(body))).status).toBe(400);
      }),
      { numRuns: 500 },
    );
  });
});
