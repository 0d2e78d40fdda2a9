/**
 * Deploys the package to a Flex Consumption app, as azd does. Not with `az functionapp deployment source config-zip`: that
 * command ends by asking the app for its state over the public address, again and again until it is answered, which an app
 * that wants a token or is closed to strangers never does (Azure/azure-cli#30870, #31394).
 *
 *   CMK_FUNCTION_APP_ID=/subscriptions/… npx node scripts/infra/publish.ts [--package <zip, or its https address> --sha256 <hash>]
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
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

/**
 * A package that is there already, with the hash that is expected of it: what was compared is what is uploaded.
 *
 * @param from a file, or an https address, which has to come with a hash: what is there may be replaced
 * @param sha256 as in the SHA256SUMS of a release
 * @throws Error that says what is wrong with it
 */
export async function readPackage(from: string, sha256: string | undefined): Promise<Uint8Array<ArrayBuffer>> {
  const expected = sha256?.trim().toLowerCase();
  if (expected !== undefined && !/^[0-9a-f]{64}$/.test(expected)) {
    throw new Error(`${sha256} is no SHA-256: 64 hexadecimal digits, as in the SHA256SUMS of the release.`);
  }

  const isAddress = /^https?:/i.test(from);
  if (isAddress && expected === undefined) {
    throw new Error(`What is at ${from} may be replaced: say its --sha256, from the SHA256SUMS of the release.`);
  }
  if (!isAddress && !existsSync(from)) throw new Error(`There is no package ${from}: npm run bundle makes one.`);

  const bytes = isAddress ? await download(from) : new Uint8Array(readFileSync(from));
  const found = createHash('sha256').update(bytes).digest('hex');
  if (expected !== undefined && found !== expected) {
    throw new Error(
      `${from} is not the package that was meant: its SHA-256 is ${found}, not ${expected}. Nothing was deployed.`,
    );
  }

  return bytes;
}

async function download(address: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(address, { signal: AbortSignal.timeout(300_000) });
  if (!response.ok) throw new Error(`${address} answers ${response.status}.`);
  return new Uint8Array(await response.arrayBuffer());
}

/** @param made the package, where it is there already: what builds one needs the packages of npm */
export async function publishTo(functionAppId: string, made?: Uint8Array<ArrayBuffer>): Promise<void> {
  const built = made ? undefined : (await (await import('../bundle.ts')).bundle()).zip;
  const zip = made ?? (built === undefined ? undefined : new Uint8Array(readFileSync(built)));
  if (!zip) throw new Error('No package was written.');
  const site = az('rest', '--method', 'get', '--url', `${functionAppId}?api-version=2024-04-01`) as Site;
  const { accessToken } = az('account', 'get-access-token', '--subscription', functionAppId.split('/')[2] ?? '') as {
    accessToken: string;
  };
  await publish({ url: deploymentUrl(site), token: accessToken }, zip);
}

if (process.argv[1] === import.meta.filename) {
  const { CMK_FUNCTION_APP_ID: id } = process.env;
  if (!id) throw new Error('Set CMK_FUNCTION_APP_ID to the resource id of the function app.');
  const options = { package: { type: 'string' }, sha256: { type: 'string' } } as const;
  const { package: from, sha256 } = parseArgs({ options }).values;
  await publishTo(id, from === undefined ? undefined : await readPackage(from, sha256));
}
