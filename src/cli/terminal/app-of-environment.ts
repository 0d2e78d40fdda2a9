import { CmkError } from '../../errors/errors.ts';
import type { Log } from '../../errors/log.ts';
import { hasAppStorage } from '../../settings/own-storage.ts';
import { type App, type AppApi, createAppApi, UnansweredError } from '../procedures/app-api.ts';
import type { AppInProcess } from './app-in-process.ts';
import type { Cli } from './cli.ts';
import { UsageError } from './options.ts';
import { escapeLines } from './visible.ts';

/** Client of the app in `CMK_API`. @throws {@link UsageError} without its address or audience */
export function createAppOfEnvironment(cli: Cli): App {
  const { CMK_API: address, CMK_API_AUDIENCE: audience } = cli.environment;
  if (address && audience) return createAppApi(address, audience, cli.credential());
  throw new UsageError(
    'No setting names the address of the app.',
    'Set CMK_API to the address of its API (https://<app>.azurewebsites.net/api) and CMK_API_AUDIENCE to api://<client id>.',
  );
}

/** Serves the same calls from the app's storage. @throws {@link UsageError} if no setting names it */
export async function createAppByStorage(cli: Cli): Promise<AppInProcess> {
  const { createAppInProcess } = await import('./app-in-process.ts');
  const environment = { ...cli.environment, AZURE_CLOUD: cli.cloud().name };
  const log: Log = ({ level, message }) => {
    if (level === 'warning') cli.context.err.write(`warning: ${escapeLines(message)}\n`);
  };
  const operator = async () => (await cli.azure()).operator();
  return createAppInProcess(environment, { credential: cli.credential(), operator, log });
}

/** The app, or its storage where the app is not named or does not answer. */
export interface ViewedApp extends AppApi {
  /** Why the app did not answer in this run of the command; undefined: it did, or is not named. */
  readonly unanswered: () => string | undefined;
  /** Begins another run of the command, which asks the app first again. */
  readonly begin: () => void;
}

/** Returns undefined if the environment names neither the app nor its storage. */
export async function findApp(cli: Cli): Promise<ViewedApp | undefined> {
  const { CMK_API, CMK_API_AUDIENCE, CMK_VAULTS } = cli.environment;
  const namesStorage = Boolean(CMK_VAULTS) && hasAppStorage(cli.environment);
  if (!CMK_API || !CMK_API_AUDIENCE) return namesStorage ? viewApi(await createAppByStorage(cli)) : undefined;

  const app = createAppOfEnvironment(cli);
  if (!namesStorage) return viewApi(app);

  let byStorage: AppApi | undefined;
  let failure: CmkError | undefined;
  let warnedOf: string | undefined;

  const readStorage: AppApi['get'] = async (path, shape) => {
    byStorage ??= await createAppByStorage(cli);
    return byStorage.get(path, shape);
  };
  const unanswered = () => (failure instanceof UnansweredError ? failure.message : undefined);

  return {
    async get(path, shape) {
      if (failure) return readStorage(path, shape);
      try {
        return await app.get(path, shape);
      } catch (error) {
        if (!(error instanceof CmkError && error.reason === 'ServiceUnavailable')) throw error;

        failure = error;
        const warning = unanswered();
        if (warning !== undefined && warning !== warnedOf) {
          cli.context.err.write(`warning: ${escapeLines(warning)} Shown is what its storage has.\n`);
        }
        warnedOf = warning;

        return readStorage(path, shape);
      }
    },
    unanswered,
    begin() {
      failure = undefined;
    },
  };
}

/** One source alone, which has no other to fall back to. */
export function viewApi(app: AppApi): ViewedApp {
  return { get: app.get, unanswered: () => undefined, begin: () => {} };
}
