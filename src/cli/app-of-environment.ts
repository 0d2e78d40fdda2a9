import type { Command } from 'commander';
import { CmkError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { App, AppApi } from '../operations/app-api.ts';
import type { Operation } from '../operations/operator-azure.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import type { AppInProcess } from './app-in-process.ts';
import type { Cli } from './cli.ts';
import type { ExitCode } from './exit-codes.ts';
import { watching } from './options.ts';
import type { Output } from './output.ts';
import { visibleLines } from './visible.ts';

/** Help text: data source of lists and views. */
const BY_APP_OR_STORAGE = `
It calls the API of the app (CMK_API, CMK_API_AUDIENCE). If that is not set or
does not answer, it reads the app's storage (AzureWebJobsStorage__accountName,
CMK_VAULTS), with the roles Storage Table and Storage Blob Data Reader.`;

/**
 * Makes a command read from the app or its storage, and show the answer.
 *
 * @param isOver whether --watch ends after this result
 */
export function reading<R>(
  command: Command,
  cli: Cli,
  read: (app: AppApi, operation: Operation) => Promise<R>,
  show: (result: R, output: Output) => ExitCode,
  isOver?: (result: R) => boolean,
): void {
  watching(command)
    .addHelpText('after', BY_APP_OR_STORAGE)
    .action(async () => {
      const app = await appOrItsStorage(cli, command);
      await cli.read(command, (operation) => read(app, operation), show, isOver);
    });
}

/** Help text: where orders are stored. */
export const IN_STORAGE = `
The command writes the order to the app's storage
(AzureWebJobsStorage__accountName, CMK_VAULTS) with your sign-in, and to the
audit trail. It needs the roles Storage Blob, Table and Queue Data Contributor.`;

/** Client of the app in `CMK_API`. @throws {@link CmkError} `ArgumentInvalid` without its address or audience */
export async function appOfEnvironment(cli: Cli, command: Command): Promise<App> {
  const { CMK_API: address, CMK_API_AUDIENCE: audience } = cli.environment;
  if (!address || !audience) {
    throw new CmkError(
      'ArgumentInvalid',
      'No setting names the address of the app.',
      'Set CMK_API to the address of its API (https://<app>.azurewebsites.net/api) and CMK_API_AUDIENCE to api://<client id>.',
    );
  }
  const { appApi } = await import('../operations/app-api.ts');
  return appApi(address, audience, cli.credential(command));
}

/** Serves the same calls from the app's storage. @throws {@link CmkError} `ArgumentInvalid` if no setting names it */
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
 * Returns the app; if it is not configured, or does not answer, its storage.
 *
 * @throws {@link CmkError} `ArgumentInvalid` if neither is configured
 */
async function appOrItsStorage(cli: Cli, command: Command): Promise<AppApi> {
  if (!namesApp(cli)) return appByStorage(cli, command);
  const app = await appOfEnvironment(cli, command);
  if (!namesItsStorage(cli)) return app;
  let byStorage: AppApi | undefined;
  return {
    async get(path, shape) {
      try {
        return await (byStorage ?? app).get(path, shape);
      } catch (error) {
        if (byStorage || !(error instanceof CmkError && error.reason === 'ServiceUnavailable')) throw error;
        byStorage = await appByStorage(cli, command);
        return byStorage.get(path, shape);
      }
    },
  };
}

/** Returns the app or its storage; undefined if the environment names neither. */
export async function appIfKnown(cli: Cli, command: Command): Promise<AppApi | undefined> {
  return namesApp(cli) || namesItsStorage(cli) ? appOrItsStorage(cli, command) : undefined;
}

function namesApp({ environment: { CMK_API, CMK_API_AUDIENCE } }: Cli): boolean {
  return Boolean(CMK_API && CMK_API_AUDIENCE);
}

function namesItsStorage({ environment }: Cli): boolean {
  return Boolean(environment.CMK_VAULTS) && knowsAppStorage(environment);
}
