/**
 * Makes the event subscriptions once the functions that they aim at exist. azd runs this after each deployment; by hand:
 * `azd hooks run postdeploy`. Running it again changes nothing.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AzError, armList, az, isGone } from './az.ts';
import { deploymentName } from './deployment.ts';
import { eventParameters, type MainOutputs, missingFunctions, readMainOutputs } from './event-parameters.ts';
import { findTopics } from './find-topics.ts';

const TRIES = 40;
const BETWEEN_MS = 15_000;
/** Five minutes in all: most roles have spread by then. */
const SPREAD_TRIES = 6;
const SPREAD_MS = 60_000;

/** Waits until the functions are there: the host reports them some time after the package was taken. */
async function functionsThere(functionAppId: string): Promise<void> {
  for (let turn = 1; ; turn++) {
    const functions = armList(`${functionAppId}/functions`, '2024-04-01') as { name: string }[];
    const missing = missingFunctions(functions.map(({ name }) => name));
    if (missing.length === 0) return;

    if (turn === TRIES) {
      throw new Error(
        `Azure does not show the functions ${missing.join(', ')} after ${(TRIES * BETWEEN_MS) / 60_000} minutes. Is the package deployed (azd deploy), and does the app start (its logs)?`,
      );
    }

    console.log(`waiting for the functions ${missing.join(', ')} …`);
    await sleep(BETWEEN_MS);
  }
}

/** The identity of a topic that is new, and its role, take a while to be known everywhere: what fails for that is done again. */
async function untilSpread(deploy: () => unknown): Promise<void> {
  for (let turn = 1; ; turn++) {
    try {
      deploy();
      return;
    } catch (error) {
      const spreading =
        error instanceof AzError && /PrincipalNotFound|unauthorized|forbidden|identity/i.test(error.message);
      if (!spreading || turn === SPREAD_TRIES) throw error;

      console.log(`not yet: ${error.message.slice(0, 200)} … once more in ${SPREAD_MS / 1_000} s`);
      await sleep(SPREAD_MS);
    }
  }
}

export async function deployEvents(main: MainOutputs): Promise<void> {
  if (main.vaults.length === 0) {
    console.log('no event subscriptions: a Managed HSM sends no events');
    return;
  }

  await functionsThere(main.functionAppId);

  const topics = findTopics(main.vaults.map(({ id }) => id));
  const parameters = eventParameters(main, topics, isGone);

  const folder = mkdtempSync(join(tmpdir(), 'cmk-events-'));
  try {
    const file = join(folder, 'events.parameters.json');
    writeFileSync(file, JSON.stringify({ contentVersion: '1.0.0.0', parameters }));

    await untilSpread(() =>
      az(
        ...['deployment', 'sub', 'create', '--location', main.location],
        ...['--name', deploymentName('cmk-events', main.environmentName, main.location)],
        ...['--subscription', main.functionAppId.split('/')[2] ?? ''],
        ...['--template-file', join(import.meta.dirname, '../../infra/compiled/events.json')],
        ...['--parameters', `@${file}`],
      ),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }

  console.log(`event subscriptions of ${main.vaults.length} vault(s) are in place`);
}

if (process.argv[1] === import.meta.filename) await deployEvents(readMainOutputs(process.env));
