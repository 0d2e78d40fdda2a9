import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { readEnvFile } from '../../local/run/env-file.ts';
import { startLocalRun } from '../../local/run/local-run.ts';
import { requestToken } from '../../local/run/token.ts';
import { bundle } from '../bundle.ts';
import { EXAMPLES, type Example } from '../reference/api.ts';

// `npm run examples`: makes each call of the API on a local run, and keeps request and answer for docs/reference/api.md.

const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const KEY = 'kv-files/files-key';
/** Fields that later calls go by. */
const NAMED = z.looseObject({
  id: z.string().optional(),
  revocation: z.looseObject({ id: z.string() }).optional(),
  order: z.looseObject({ id: z.string() }).optional(),
});
const DOCUMENT = z.looseObject({ openapi: z.string(), info: z.looseObject({}), servers: z.array(z.looseObject({})) });
const ITEMS = z.looseObject({ value: z.array(z.looseObject({ seq: z.int().optional() })) });

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
  const example = (id: string): Example => {
    const made = examples[id];
    if (!made) throw new Error(`${id} was not called.`);
    return made;
  };
  const call = async (id: string, as: string, method: string, path: string, body?: object): Promise<unknown> => {
    const token = await requestToken(control, as);
    const response = await fetch(`${url}/api${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body ? { 'Content-Type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    const answer: unknown = text === '' ? '' : JSON.parse(text);
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    examples[id] = { as, method, path, ...(body ? { body } : {}), status: response.status, answer: shorten(answer) };
    return answer;
  };

  const report = NAMED.parse(await call('runDriftCheck', 'operator', 'POST', '/drift')).id ?? '';
  await call('driftReport', 'operator', 'GET', '/drift');
  await call('driftHistory', 'operator', 'GET', '/drift/history');
  await call('driftReportById', 'operator', 'GET', `/drift/${report}`);
  await call('releaseChange', 'operator', 'POST', '/drift/release', {
    account: `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`,
    reason: 'The template is corrected',
  });
  await call('revokeKey', 'revoker', 'POST', `/keys/${KEY}/revoke`, {
    ...{ reason: 'Laptop stolen', ticket: 'INC-4711', confirm: KEY },
  });
  await call('now', 'operator', 'GET', '/now');
  const { revocation } = NAMED.parse(await call('keyStatus', 'operator', 'GET', `/keys/${KEY}`));
  await call('restoreKey', 'restorer', 'POST', `/keys/${KEY}/restore`, {
    ...{ reason: 'Laptop found', ticket: 'INC-4711', revocation: revocation?.id },
  });
  await call('rotateKey', 'operator', 'POST', `/keys/${KEY}/rotate`, { reason: 'Yearly rotation', ticket: 'CHG-1' });
  await call('keys', 'operator', 'GET', '/keys?vault=kv-files');
  await call('fleet', 'operator', 'GET', '/fleet?vault=kv-files&top=1');
  await call('fleetAccount', 'operator', 'GET', '/fleet/stfiles06');
  await call('rotations', 'operator', 'GET', '/rotations');
  await call('rotation', 'operator', 'GET', `/rotations/${KEY}`);
  await call('pause', 'operator', 'POST', '/pause', {
    reason: 'Change freeze',
    ticket: 'CHG-1',
    until: '2030-01-01T06:00:00Z',
  });
  await call('resume', 'operator', 'POST', '/resume', { reason: 'Freeze is over' });
  const { order } = NAMED.parse(
    await call('startRekey', 'operator', 'POST', '/rekeys', {
      ...{ from: 'kv-files/archive-key', to: KEY, reason: 'Backup of the vault went astray', ticket: 'INC-4712' },
    }),
  );
  await call('listRekeys', 'operator', 'GET', '/rekeys');
  await call('rekeyStatus', 'operator', 'GET', `/rekeys/${order?.id}`);
  await call('pauseRekey', 'operator', 'POST', `/rekeys/${order?.id}/pause`, { reason: 'Change freeze' });
  await call('resumeRekey', 'operator', 'POST', `/rekeys/${order?.id}/resume`, { reason: 'Freeze is over' });
  await call('cancelRekey', 'operator', 'DELETE', `/rekeys/${order?.id}?reason=False%20alarm`);
  const trail = ITEMS.parse(await call('audit', 'operator', 'GET', `/audit?key=${KEY}&since=P7D`));
  await call('auditRecord', 'operator', 'GET', `/audit/${trail.value[0]?.seq}`);
  await call('trend', 'operator', 'GET', '/trend');
  const { openapi, info, servers } = DOCUMENT.parse(await call('openApi', 'outsider', 'GET', '/openapi.json'));
  return { ...examples, openApi: { ...example('openApi'), answer: { openapi, info, servers } } };
}

/** Of lists the first item, of long texts the beginning: an example shows the form. */
function shorten(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.length > 160 ? `${value.slice(0, 157)}…` : value;
  if (Array.isArray(value)) return value.slice(0, 1).map((item) => shorten(item, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.slice(0, depth > 0 ? 14 : 40).map(([name, one]) => [name, shorten(one, depth + 1)]),
  );
}

await main();
process.exit();
