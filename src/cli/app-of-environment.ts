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

/** Where lists and views come from, for the help of each. */
const BY_APP_OR_STORAGE = `
It calls the API of the app (CMK_API, CMK_API_AUDIENCE). If that is not set or
does not answer, it reads the app's storage (AzureWebJobsStorage__accountName,
CMK_VAULTS), with the roles Storage Table and Storage Blob Data Reader.`;

/**
 * Makes a command show what the app, or its storage, answers.
 *
 * @param isOver ends watching
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

/** Where orders are written, for the help of each. */
export const IN_STORAGE = `
The order is written into the app's storage (AzureWebJobsStorage__accountName,
CMK_VAULTS) on your sign-in, and into the audit trail. It takes the roles
Storage Blob, Table and Queue Data Contributor.`;

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

/** The same; undefined where the environment names neither. */
export async function appIfKnown(cli: Cli, command: Command): Promise<AppApi | undefined> {
  return namesApp(cli) || namesItsStorage(cli) ? appOrItsStorage(cli, command) : undefined;
}

function namesApp({ environment: { CMK_API, CMK_API_AUDIENCE } }: Cli): boolean {
  return Boolean(CMK_API && CMK_API_AUDIENCE);
}

function namesItsStorage({ environment }: Cli): boolean {
  return Boolean(environment.CMK_VAULTS) && knowsAppStorage(environment);
}
