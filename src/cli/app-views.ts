import { randomUUID } from 'node:crypto';
import type { HttpResponseInit } from '@azure/functions';
import type { TokenCredential } from '../azure/credential.ts';
import { CmkError } from '../errors.ts';
import { jsonResponse } from '../http/answers.ts';
import { HttpProblem } from '../http/problem.ts';
import { managedKey } from '../keys/managed-vaults.ts';
import { type AppApi, checkAnswer } from '../operations/app-api.ts';
import { createServices, type Services } from '../services.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import type { Environment } from '../settings/settings.ts';
import { showFleet, showFleetAccount } from '../views/fleet-api.ts';
import { fleetQuery } from '../views/fleet-query.ts';
import { FleetSnapshots } from '../views/fleet-snapshot.ts';
import { KeyLister } from '../views/key-list.ts';
import { showNow } from '../views/now.ts';
import { NowBoard } from '../views/read-now.ts';
import { showRotation, showRotations } from '../views/rotation.ts';

const SILENT = () => {};

/** `cmk audit list --account` has it. */
const NO_HISTORY = async () => ({});

/**
 * Answers `GET /now`, `/keys`, `/fleet`, `/fleet/{account}`, `/rotations` and `/rotations/{vault}/{key}` as the app does, from the app's storage and Key Vault on
 * the operator's own sign-in. No call is made yet.
 *
 * @throws {@link CmkError} `ArgumentInvalid` where the environment does not name that storage
 * @throws {@link SettingsError} when a setting in the environment is wrong
 */
export function viewsOfStorage(environment: Environment, credential: TokenCredential): AppApi {
  if (!knowsAppStorage(environment)) {
    throw new CmkError(
      'ArgumentInvalid',
      'Neither the address of the app nor its storage is known.',
      "Set CMK_API and CMK_API_AUDIENCE; or AzureWebJobsStorage__accountName to the app's storage account, and CMK_VAULTS.",
    );
  }
  // The client id of the operator's own sign-in, in the environment, is not the app's.
  const services = createServices({ ...environment, AZURE_CLIENT_ID: undefined }, credential, SILENT);
  // What the app sees beside what is named, only the app knows.
  const ports = { ...services, inSight: async () => services.settings.subscriptions };
  const snapshots = new FleetSnapshots();
  const lister = new KeyLister();
  const board = new NowBoard(snapshots, lister);
  return {
    async get(path, shape) {
      try {
        const { body } = await answer(new URL(path, 'http://localhost'), { ports, snapshots, lister, board });
        return checkAnswer(JSON.parse(String(body)), shape, path);
      } catch (error) {
        if (!(error instanceof HttpProblem)) throw error;
        throw new CmkError(error.reason, error.message, error.nextStep, { cause: error });
      }
    },
  };
}

interface Evaluators {
  readonly ports: Services;
  readonly snapshots: FleetSnapshots;
  readonly lister: KeyLister;
  readonly board: NowBoard;
}

async function answer(
  { pathname, searchParams }: URL,
  { ports, snapshots, lister, board }: Evaluators,
): Promise<HttpResponseInit> {
  // A vault, or the name of an account.
  const [, view, vault, key] = pathname.split('/');
  const headers = new Headers();
  const reaches = () => true;
  if (view === 'now') {
    const sight = { reaches, reachesVault: reaches, maySee: reaches, requireFleet: SILENT, now: ports.now() };
    const telling = { correlationId: randomUUID(), onUnexpected: SILENT };
    return showNow({ headers }, { ...sight, ...telling }, board.takers(ports, SILENT));
  }
  if (view === 'fleet' && vault === undefined) {
    return showFleet(fleetQuery(searchParams), { headers, reaches, snapshots }, ports);
  }
  if (view === 'fleet' && vault) {
    return showFleetAccount(decodeURIComponent(vault), NO_HISTORY, { headers, reaches, snapshots }, ports);
  }
  if (view === 'keys') {
    const asked = searchParams.get('vault')?.toLowerCase();
    const vaults = ports.settings.vaults.all.filter(({ name }) => asked === undefined || name === asked);
    await ports.control.refresh(SILENT);
    const after = searchParams.get('after') ?? undefined;
    const { value, vaults: listed, next } = await lister.list({ vaults, reaches, after }, ports);
    const of = asked === undefined ? '' : `vault=${encodeURIComponent(asked)}&`;
    const nextLink = next ? { nextLink: `/api/keys?${of}after=${encodeURIComponent(next)}` } : {};
    return jsonResponse(200, { value, vaults: listed, ...nextLink });
  }
  if (view === 'rotations' && vault === undefined)
    return showRotations(searchParams.get('after') ?? undefined, ports, SILENT);
  const managed = ports.settings.vaults.byName(vault ?? '');
  if (view === 'rotations' && managed && key) return showRotation(managedKey(managed, key), ports, SILENT);
  throw new CmkError(
    'VaultNotManaged',
    `${vault} is none of the vaults in CMK_VAULTS.`,
    'Set CMK_VAULTS as the app has it.',
  );
}
