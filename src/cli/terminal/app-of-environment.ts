import { CmkError } from '../../errors/errors.ts';
import type { Log } from '../../errors/log.ts';
import { hasAppStorage } from '../../settings/own-storage.ts';
import { type App, type AppApi, createAppApi } from '../procedures/app-api.ts';
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

/**
 * Returns the app; if it is not configured, or does not answer, its storage; undefined if the environment names
 * neither.
 */
export async function findApp(cli: Cli): Promise<AppApi | undefined> {
  const { CMK_API, CMK_API_AUDIENCE, CMK_VAULTS } = cli.environment;
  const namesStorage = Boolean(CMK_VAULTS) && hasAppStorage(cli.environment);
  if (!CMK_API || !CMK_API_AUDIENCE) return namesStorage ? createAppByStorage(cli) : undefined;

  const app = createAppOfEnvironment(cli);
  if (!namesStorage) return app;

  let byStorage: AppApi | undefined;

  return {
    async get(path, shape) {
      try {
        return await (byStorage ?? app).get(path, shape);
      } catch (error) {
        if (byStorage || !(error instanceof CmkError && error.reason === 'ServiceUnavailable')) throw error;
        byStorage = await createAppByStorage(cli);
        return byStorage.get(path, shape);
      }
    },
  };
}
