import type { App } from '../support/app.ts';

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

/** Until then the app does not know which accounts there are. */
export async function checkDrift(app: Pick<App, 'azure' | 'url'>): Promise<void> {
  const response = await callApi(app, 'operator', 'POST', '/drift');
  if (!response.ok) throw new Error(`The drift check: ${response.status} ${await response.text()}`);
  await response.body?.cancel();
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
