import type { App } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';

/** A sign-in of the local tenant. */
export function principal({ azure }: Pick<App, 'azure'>, who: string) {
  const person = [...azure.world.principals.values()].find(({ displayName }) => displayName === who);
  if (!person) throw new Error(`There is no ${who}.`);
  return person;
}

/** Calls the API as somebody, beside the page. */
export function callApi(
  app: Pick<App, 'azure' | 'url'>,
  who: string,
  method: string,
  path: string,
  body?: object,
): Promise<Response> {
  const { token } = app.azure.tokens.issue(principal(app, who), 'api://cmk-autopilot');
  return fetch(`${app.url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

/** Until then the app does not know which accounts there are. On a busy machine the report comes after the answer. */
export async function checkDrift(app: Pick<App, 'azure' | 'url'>): Promise<void> {
  const begun = await callApi(app, 'operator', 'POST', '/drift');
  const answer = (await begun.json()) as { readonly location?: string };
  if (begun.status === 200) return;
  if (begun.status !== 202) throw new Error(`The drift check: ${begun.status} ${JSON.stringify(answer)}`);
  const path = String(answer.location).replace(/^\/api/, '');
  await eventually('the report is there', async () => {
    const { status, body } = await callApi(app, 'operator', 'GET', path);
    await body?.cancel();
    return status === 200;
  });
}

/** What a client that may read every file gets of a share: the status. */
export async function readShare(app: Pick<App, 'azure'>, account: string): Promise<number> {
  const { token } = app.azure.tokens.issue(principal(app, 'owner'), 'https://storage.azure.com');
  const response = await fetch(`https://${account}.file.core.windows.net/share1?restype=directory&comp=list`, {
    headers: { authorization: `Bearer ${token}`, 'x-ms-file-request-intent': 'backup', 'x-ms-version': '2025-01-05' },
  });
  await response.body?.cancel();
  return response.status;
}
