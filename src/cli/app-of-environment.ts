import type { Command } from 'commander';
import { CmkError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { App, AppApi } from '../operations/app-api.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import type { AppInProcess } from './app-in-process.ts';
import type { Cli } from './cli.ts';
import { visibleLines } from './visible.ts';

/** Where lists and views come from, for the help of each. */
export const BY_APP_OR_STORAGE = `
The app is asked (CMK_API, CMK_API_AUDIENCE). Where it is not named or does not
answer, the same is read from its storage (AzureWebJobsStorage__accountName,
CMK_VAULTS), with the roles Storage Table and Storage Blob Data Reader.`;

/** The app that `CMK_API` names. @throws {@link CmkError} `ArgumentInvalid` where it is not known whom to ask */
export async function appOfEnvironment(cli: Cli, command: Command): Promise<App> {
  const { CMK_API: address, CMK_API_AUDIENCE: audience } = cli.environment;
  if (!address || !audience) {
    throw new CmkError(
      'ArgumentInvalid',
      'The address of the app is not known.',
      'Set CMK_API to the address of its API (https://<app>.azurewebsites.net/api) and CMK_API_AUDIENCE to api://<client id>.',
    );
  }
  const { appApi } = await import('../operations/app-api.ts');
  return appApi(address, audience, cli.credential(command));
}

/** The same calls, answered here from the app's storage. @throws {@link CmkError} `ArgumentInvalid` where it is not known */
export async function appByStorage(cli: Cli, command: Command): Promise<AppInProcess> {
  const { appInProcess } = await import('./app-in-process.ts');
  const environment = { ...cli.environment, AZURE_CLOUD: cli.cloud(command).name };
  const log: Log = ({ level, message }) => {
    if (level === 'warning') cli.context.err.write(`warning: ${visibleLines(message)}\n`);
  };
  const operator = async () => (await cli.azure(command)).operator();
  return appInProcess(environment, { credential: cli.credential(command), operator, log });
}

/**
 * The app; where it is not named, or does not answer, its storage.
 *
 * @throws {@link CmkError} `ArgumentInvalid` where neither is known
 */
export async function appOrItsStorage(cli: Cli, command: Command): Promise<AppApi> {
  const { CMK_API, CMK_API_AUDIENCE, CMK_VAULTS } = cli.environment;
  if (!CMK_API || !CMK_API_AUDIENCE) return appByStorage(cli, command);
  const app = await appOfEnvironment(cli, command);
  if (!CMK_VAULTS || !knowsAppStorage(cli.environment)) return app;
  let here: Promise<AppApi> | undefined;
  return {
    async get(path, shape) {
      if (here) return (await here).get(path, shape);
      try {
        return await app.get(path, shape);
      } catch (error) {
        if (!(error instanceof CmkError && error.reason === 'ServiceUnavailable')) throw error;
        here = appByStorage(cli, command);
        return (await here).get(path, shape);
      }
    },
  };
}

/** The same; undefined where the environment names neither. */
export async function appIfKnown(cli: Cli, command: Command): Promise<AppApi | undefined> {
  const { CMK_API, CMK_API_AUDIENCE, CMK_VAULTS } = cli.environment;
  const isKnown = (CMK_API && CMK_API_AUDIENCE) || (CMK_VAULTS && knowsAppStorage(cli.environment));
  return isKnown ? appOrItsStorage(cli, command) : undefined;
}
