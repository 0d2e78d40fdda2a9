import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { readEnvFile } from '../../local/run/env-file.ts';
import { startLocalRun } from '../../local/run/local-run.ts';
import { requestToken } from '../../local/run/token.ts';
import { bundle } from '../bundle.ts';
import { EXAMPLES, type Example, fillIn } from '../reference/api.ts';

// `npm run examples`: makes each call of the API on a local run, and keeps request and answer for docs/reference/api.md.

const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const KEY = 'kv-files/files-key';
const DOCUMENT = z.looseObject({ openapi: z.string(), info: z.looseObject({}), servers: z.array(z.looseObject({})) });
const PROGRESS = z.looseObject({ progress: z.looseObject({ moved: z.int() }) });
/** Accounts on `archive-key`, which the re-key moves. */
const ARCHIVES = 2;
const MOST_MS = 60_000;
/** In characters; a longer list is cut to one item. */
const SHORT_LIST = 240;

async function main(): Promise<void> {
  const run = await startLocalRun({
    stateDir: join(PROJECT, '.local/examples'),
    port: 0,
    env: process.env,
    signal: new AbortController().signal,
    bundleApp: (outDir) => bundle({ outDir, zip: false }),
    tourModule: join(PROJECT, 'scripts/docs/contest.ts'),
  });

  try {
    const env = await readEnvFile(run.envFile);

    await run.tour();

    const examples = await record(run.url, env.LOCAL_AZURE_CONTROL ?? '');
    await writeFile(join(PROJECT, EXAMPLES), `${JSON.stringify(examples, null, 2)}\n`);
    console.log(`${Object.keys(examples).length} examples`);
  } finally {
    await run.stop();
  }
}

async function record(url: string, control: string): Promise<Record<string, Example>> {
  const examples: Record<string, Example> = {};
  const call = async (id: string, as: string | undefined, method: string, path: string, body?: object) => {
    const token = as === undefined ? {} : { Authorization: `Bearer ${await requestToken(control, as)}` };
    const response = await fetch(`${url}/api${fillIn(path, examples)}`, {
      method,
      headers: { ...token, ...(body ? { 'Content-Type': 'application/json' } : {}) },
      ...(body ? { body: fillIn(JSON.stringify(body), examples) } : {}),
    });

    const text = await response.text();
    const answer: unknown = text === '' ? '' : JSON.parse(text);

    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);

    const caller = as === undefined ? {} : { as };

    examples[id] = {
      ...caller,
      method,
      path,
      ...(body ? { body } : {}),
      status: response.status,
      answer: shorten(answer),
    };

    return answer;
  };

  await call('runDriftCheck', 'operator', 'POST', '/drift');
  await call('driftReport', 'operator', 'GET', '/drift');
  await call('driftHistory', 'operator', 'GET', '/drift/history');
  await call('driftReportById', 'operator', 'GET', '/drift/{{runDriftCheck.response.body.$.id}}');
  await call('releaseChange', 'operator', 'POST', '/drift/release', {
    account: `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`,
    reason: 'The template is corrected',
  });

  // Before the revocation: while it is open, `rotationCost` is absent and accounts are not healthy.
  await call('keyStatus', 'operator', 'GET', `/keys/${KEY}`);
  await call('keys', 'operator', 'GET', '/keys?vault=kv-files');
  await call('fleet', 'operator', 'GET', '/fleet?vault=kv-files&top=1');
  await call('fleetAccount', 'operator', 'GET', '/fleet/stfiles06');

  // A version that is younger than an hour would count as the rotation.
  await fetch(`${control}/clock`, { method: 'POST', body: JSON.stringify({ advance: 'PT2H' }) });
  await call('rotateKey', 'operator', 'POST', `/keys/${KEY}/rotate`, { reason: 'Yearly rotation', ticket: 'CHG-1' });
  await call('rotations', 'operator', 'GET', '/rotations');
  await call('rotation', 'operator', 'GET', `/rotations/${KEY}`);

  await call('revokeKey', 'revoker', 'POST', `/keys/${KEY}/revoke`, {
    reason: 'Laptop stolen',
    ticket: 'INC-4711',
    confirm: KEY,
  });

  await call('now', 'operator', 'GET', '/now');

  await call('restoreKey', 'restorer', 'POST', `/keys/${KEY}/restore`, {
    reason: 'Laptop found',
    ticket: 'INC-4711',
    revocation: '{{revokeKey.response.body.$.revocation.id}}',
  });

  await call('keyHistory', 'operator', 'GET', `/keys/${KEY}/history`);
  await call('audit', 'operator', 'GET', `/audit?key=${KEY}&since=P7D`);
  await call('auditRecord', 'operator', 'GET', '/audit/{{audit.response.body.$.value[0].seq}}');

  await call('pause', 'operator', 'POST', '/pause', {
    reason: 'Change freeze',
    ticket: 'CHG-1',
    until: '2030-01-01T06:00:00Z',
  });

  await call('resume', 'operator', 'POST', '/resume', { reason: 'Freeze is over' });

  await call('startRekey', 'operator', 'POST', '/rekeys', {
    from: 'kv-files/archive-key',
    to: KEY,
    reason: 'Backup of the vault went astray',
    ticket: 'INC-4712',
  });

  await call('listRekeys', 'operator', 'GET', '/rekeys');

  const rekey = '/rekeys/{{startRekey.response.body.$.order.id}}';

  await call('pauseRekey', 'operator', 'POST', `${rekey}/pause`, { reason: 'Change freeze' });
  await call('resumeRekey', 'operator', 'POST', `${rekey}/resume`, { reason: 'Freeze is over' });

  const end = Date.now() + MOST_MS;

  while (PROGRESS.parse(await call('rekeyStatus', 'operator', 'GET', rekey)).progress.moved < ARCHIVES) {
    if (Date.now() > end) throw new Error('The re-key did not move the accounts in time.');
    await setTimeout(500);
  }

  await call('cancelRekey', 'operator', 'DELETE', `${rekey}?reason=False%20alarm`);
  await call('trend', 'operator', 'GET', '/trend');

  const { openapi, info, servers } = DOCUMENT.parse(await call('openApi', undefined, 'GET', '/openapi.json'));
  const { openApi, ...others } = examples;

  return openApi ? { ...others, openApi: { ...openApi, answer: { openapi, info, servers } } } : others;
}

/** Of a long list the item with the most fields, of long texts the beginning: an example shows the form. */
function shorten(value: unknown): unknown {
  if (typeof value === 'string') return value.length > 160 ? `${value.slice(0, 157)}…` : value;
  if (Array.isArray(value)) {
    const fields = (item: unknown): number => Object.keys(Object(item)).length;
    const fullest = value.reduce((most, item) => (fields(item) > fields(most) ? item : most), value[0]);
    return (JSON.stringify(value).length > SHORT_LIST ? [fullest] : value).map(shorten);
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shorten(one)]));
}

await main();
process.exit();
