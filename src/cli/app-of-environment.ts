import { CmkError } from '../errors.ts';
import type { AppApi } from '../operations/app-api.ts';
import type { Cli, GlobalOptions } from './cli.ts';

/** The app that `CMK_API` names. @throws {@link CmkError} `ArgumentInvalid` where it is not known whom to ask */
export async function appOfEnvironment(cli: Cli, globals: GlobalOptions): Promise<AppApi> {
  const { CMK_API: address, CMK_API_AUDIENCE: audience } = cli.environment;
  if (!address || !audience) {
    throw new CmkError(
      'ArgumentInvalid',
      'Where the app answers is not known.',
      'Set CMK_API to the address of its API (https://<app>.azurewebsites.net/api) and CMK_API_AUDIENCE to api://<client id>.',
    );
  }
  const { appApi } = await import('../operations/app-api.ts');
  return appApi(address, audience, cli.credential(globals));
}
