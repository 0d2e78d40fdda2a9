/**
 * Deploys the package to a Flex Consumption app, as azd does. Not with `az functionapp deployment source config-zip`: that
 * command ends by asking the app for its state over the public address, again and again until it is answered, which an app
 * that wants a token or is closed to strangers never does (Azure/azure-cli#30870, #31394).
 *
 *   CMK_FUNCTION_APP_ID=/subscriptions/… npx node scripts/infra/publish.ts
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { az } from './az.ts';

/** The deployment service of a site, and who asks it. */
export interface DeploymentService {
  /** `https://{site}.scm.azurewebsites.net` */
  readonly url: string;
  /** Access token for Azure Resource Manager. */
  readonly token: string;
}

/** What the service says of a deployment: the numbers are Kudu's. */
const STATUS: Readonly<Record<number, 'under way' | 'done' | 'failed'>> = {
  [-1]: 'failed', // cancelled
  0: 'under way', // pending
  1: 'under way', // building
  2: 'under way', // deploying
  3: 'failed',
  4: 'done',
  5: 'failed', // another one is under way
  6: 'failed', // in part
};

const BETWEEN_MS = 2_000;
/** About ten minutes. */
const TURNS = 300;
/** A deployment that was just taken may not be known yet. */
const UNKNOWN_AT_FIRST = 5;

/**
 * Uploads the package and waits until the app has it.
 *
 * @throws Error with what the service answered
 */
export async function publish(
  { url, token }: DeploymentService,
  zip: Uint8Array<ArrayBuffer>,
  sleep: (ms: number) => Promise<unknown> = delay,
): Promise<void> {
  const authorization = `Bearer ${token}`;
  const taken = await fetch(`${url}/api/publish?RemoteBuild=false&Deployer=cmk-autopilot`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/zip' },
    body: zip,
  });
  const answer = await taken.text();
  if (taken.status !== 202) throw new Error(`The package was not taken: ${taken.status} ${answer.slice(0, 500)}`);

  const status = `${url}/api/deployments/${JSON.parse(answer) as string}`;
  let seen = false;
  for (let turn = 1; turn <= TURNS; turn++) {
    const response = await fetch(status, { headers: { authorization } });
    const text = await response.text();
    // The service forgets a deployment when it is recycled after it: one that was seen and is gone is done.
    if (response.status === 404 && seen) return;
    if (response.ok) {
      seen = true;
      const { status: number, status_text: said } = JSON.parse(text) as { status: number; status_text?: string };
      if (STATUS[number] === 'done') return;
      if (STATUS[number] === 'failed') throw new Error(`The deployment failed (${number}): ${said ?? text}`);
    } else if (!(response.status === 404 && turn <= UNKNOWN_AT_FIRST) && response.status < 500) {
      throw new Error(`The state of the deployment is not to be had: ${response.status} ${text.slice(0, 500)}`);
    }
    await sleep(BETWEEN_MS);
  }
  throw new Error(`The deployment is not done after ${(TURNS * BETWEEN_MS) / 60_000} minutes: ${status}`);
}

interface Site {
  readonly properties: {
    readonly hostNameSslStates?: readonly { readonly hostType: string; readonly name: string }[];
  };
}

/** The address of a site's deployment service. */
export function deploymentUrl({ properties }: Site): string {
  const host = properties.hostNameSslStates?.find(({ hostType }) => hostType === 'Repository')?.name;
  if (!host) throw new Error('Azure names no deployment service for the function app.');
  return `https://${host}`;
}

/** @param made the package, where it is there already: what builds one needs the packages of npm */
export async function publishTo(functionAppId: string, made?: string): Promise<void> {
  const zip = made ?? (await (await import('../bundle.ts')).bundle()).zip;
  if (!zip) throw new Error('No package was written.');
  const site = az('rest', '--method', 'get', '--url', `${functionAppId}?api-version=2024-04-01`) as Site;
  const { accessToken } = az('account', 'get-access-token', '--subscription', functionAppId.split('/')[2] ?? '') as {
    accessToken: string;
  };
  await publish({ url: deploymentUrl(site), token: accessToken }, readFileSync(zip));
}

if (process.argv[1] === import.meta.filename) {
  const { CMK_FUNCTION_APP_ID: id } = process.env;
  if (!id) throw new Error('Set CMK_FUNCTION_APP_ID to the resource id of the function app.');
  await publishTo(id);
}
