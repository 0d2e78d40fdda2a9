import type { Command } from 'commander';
import { CmkError } from '../errors.ts';
import type { App, AppApi } from '../operations/app-api.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import type { Cli } from './cli.ts';

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

/**
 * The same; where the app is not named, or does not answer, what it would answer is evaluated here from its storage.
 *
 * @throws {@link CmkError} `ArgumentInvalid` where neither is known
 */
export async function appOrItsStorage(cli: Cli, command: Command): Promise<AppApi> {
  const { environment } = cli;
  const { CMK_API, CMK_API_AUDIENCE, CMK_VAULTS } = environment;
  let here: Promise<AppApi> | undefined;
  const fromStorage = (): Promise<AppApi> => {
    here ??= import('./app-views.ts').then(({ viewsOfStorage }) =>
      viewsOfStorage({ ...environment, AZURE_CLOUD: cli.cloud(command).name }, cli.credential(command)),
    );
    return here;
  };
  if (!CMK_API || !CMK_API_AUDIENCE) return fromStorage();
  const app = await appOfEnvironment(cli, command);
  if (!CMK_VAULTS || !knowsAppStorage(environment)) return app;
  return {
    async get(path, shape, signal) {
      if (here) return (await here).get(path, shape, signal);
      try {
        return await app.get(path, shape, signal);
      } catch (error) {
        if (!(error instanceof CmkError && error.reason === 'ServiceUnavailable')) throw error;
        return (await fromStorage()).get(path, shape, signal);
      }
    },
  };
}
