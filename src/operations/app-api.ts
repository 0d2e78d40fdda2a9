import type { TokenCredential } from '@azure/identity';
import { timeBoxed } from '../azure/deadline.ts';
import { OPERATOR_TOKEN_MS } from '../azure/limits.ts';
import { CmkError } from '../errors.ts';

/** The app's API, as an operator calls it. */
export interface AppApi {
  /**
   * @param path below the address of the API, `/rotations` say
   * @throws {@link CmkError} with what the app says: `NoDriftReport`, else `ServiceUnavailable`
   */
  get(path: string): Promise<unknown>;
}

/** @param audience of its tokens, `api://<client id>` */
export function appApi(address: string, audience: string, credential: TokenCredential): AppApi {
  return {
    async get(path) {
      const token = await credential.getToken(`${audience}/.default`);
      const { response, body } = await timeBoxed(async (signal) => {
        const headers = { authorization: `Bearer ${token?.token}`, accept: 'application/json' };
        const answer = await fetch(`${address.replace(/\/$/, '')}${path}`, { headers, signal });
        return { response: answer, body: (await answer.json()) as Refusal };
      }, OPERATOR_TOKEN_MS);
      if (response.ok) return body;
      const reason = body.reason === 'NoDriftReport' ? body.reason : 'ServiceUnavailable';
      throw new CmkError(reason, `The app answers ${response.status}: ${body.detail}`, body.nextStep ?? '');
    },
  };
}

interface Refusal {
  readonly reason?: string;
  readonly detail?: string;
  readonly nextStep?: string;
}
