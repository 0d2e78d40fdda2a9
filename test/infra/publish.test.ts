import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { deploymentUrl, publish } from '../../scripts/infra/publish.ts';

/** Replaces the deployment service of a site, which the local Azure does not have. Gives one answer a request. */
let server: Server | undefined;
const asked: { line: string; authorization: string | undefined; body: string }[] = [];

async function service(answers: readonly [status: number, body: unknown][]): Promise<string> {
  asked.length = 0;

  let next = 0;
  const listening = createServer(async (request, response) => {
    asked.push({
      line: `${request.method} ${request.url}`,
      authorization: request.headers.authorization,
      body: await text(request),
    });

    const [status, body] = answers[Math.min(next, answers.length - 1)] ?? [500, ''];
    next += 1;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });

  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));

  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}
async function text(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
afterEach(() => {
  server?.close();
});

const ZIP = new Uint8Array([...'a zip'].map((letter) => letter.charCodeAt(0)));
const now = async (): Promise<void> => {};
const state = (status: number, status_text = ''): [number, unknown] => [200, { status, status_text }];

describe('the package', () => {
  it('The package is uploaded unchanged, and the deployment awaited', async () => {
    const url = await service([[202, 'd1'], [404, {}], state(1), state(2), state(4)]);
    await publish({ url, token: 'mine' }, ZIP, now);
    expect(asked.map(({ line }) => line)).toEqual([
      'POST /api/publish?RemoteBuild=false&Deployer=cmk-autopilot',
      ...Array.from({ length: 4 }, () => 'GET /api/deployments/d1'),
    ]);
    expect(asked[0]?.body).toBe('a zip');
    expect(new Set(asked.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer mine']));
  });

  it('The package is published even if the service forgets a deployment that it showed', async () => {
    const url = await service([[202, 'd1'], state(2), [404, {}]]);
    await expect(publish({ url, token: 'mine' }, ZIP, now)).resolves.toBeUndefined();
  });

  it('The package is awaited while the service is overloaded', async () => {
    const url = await service([[202, 'd1'], [503, {}], state(4)]);
    await expect(publish({ url, token: 'mine' }, ZIP, now)).resolves.toBeUndefined();
  });

  it.each<[string, [number, unknown][], string]>([
    ['is refused', [[403, 'no role']], 'The package was not taken: 403 "no role"'],
    ['fails', [[202, 'd1'], state(3, 'no host.json')], 'The deployment failed (3): no host.json'],
    ['meets another one', [[202, 'd1'], state(5, 'another')], 'The deployment failed (5): another'],
    [
      'is never known',
      [
        [202, 'd1'],
        [404, {}],
      ],
      'is not to be had: 404',
    ],
  ])('The upload of the package fails with the message of the service when it %s', async (_, answers, message) => {
    const url = await service(answers);
    await expect(publish({ url, token: 'mine' }, ZIP, now)).rejects.toThrow(message);
  });

  it("The package goes to Azure's address for deployments", () => {
    const states = [
      { hostType: 'Standard', name: 'func.azurewebsites.net' },
      { hostType: 'Repository', name: 'func.scm.azurewebsites.net' },
    ];
    expect(deploymentUrl({ properties: { hostNameSslStates: states } })).toBe('https://func.scm.azurewebsites.net');
    expect(() => deploymentUrl({ properties: {} })).toThrow('no deployment service');
  });
});
