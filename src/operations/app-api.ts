import type { TokenCredential } from '../azure/credential.ts';
import { timeBoxed } from '../azure/deadline.ts';
import { OPERATOR_TOKEN_MS } from '../azure/limits.ts';
import { CmkError } from '../errors.ts';
import type { Reason } from '../reasons.ts';
import { parseJson } from '../text.ts';

/** The app's API, as an operator calls it. */
export interface AppApi {
  /**
   * @param path below the address of the API, `/rotations` say
   * @param signal gives it up
   * @throws {@link CmkError} with what the app says: `NoDriftReport`, `SignInNeeded`, `MissingPermission`, else `ServiceUnavailable`
   */
  get(path: string, signal?: AbortSignal): Promise<unknown>;
}

/** What the app answers is paged: whatever is longer does not come from it. */
const MOST_MB = 64;

const REASON_OF: Readonly<Record<number, Reason>> = { 401: 'SignInNeeded', 403: 'MissingPermission' };

/** @param audience of its tokens, as the app's own setting has it: `api://<client id>`, the client id, or both */
export function appApi(address: string, audience: string, credential: TokenCredential): AppApi {
  return {
    async get(path, outer) {
      const token = await credential.getToken(`${resourceOf(audience)}/.default`);
      const { status, text } = await timeBoxed(
        async (signal) => {
          const headers = { authorization: `Bearer ${token?.token}`, accept: 'application/json' };
          const answer = await reach(`${address.replace(/\/$/, '')}${path}`, { headers, signal });
          return { status: answer.status, text: await textOf(answer, address) };
        },
        OPERATOR_TOKEN_MS,
        outer,
      );
      const body = parseJson(text) as Refusal | undefined;
      if (!body)
        throw new CmkError(
          'ServiceUnavailable',
          `${address} answers ${status}, and not as the API of the app does.`,
          LOOK,
        );
      if (status < 300) return body;
      const reason = body.reason === 'NoDriftReport' ? body.reason : (REASON_OF[status] ?? 'ServiceUnavailable');
      const detail = typeof body.detail === 'string' ? `: ${body.detail}` : '.';
      throw new CmkError(reason, `The app answers ${status}${detail}`, body.nextStep ?? '');
    },
  };
}

const LOOK = 'Check CMK_API: it is the address of the app, with /api behind it.';

/** Of several it is the URI, which Entra ID gives a token for by that name. */
function resourceOf(audience: string): string {
  const names = audience.split(/[\s,]+/).filter(Boolean);
  return names.find((name) => name.includes('://')) ?? names[0] ?? '';
}

async function reach(address: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    const { code, message } = ((cause as Error).cause ?? cause) as NodeJS.ErrnoException;
    throw new CmkError('ServiceUnavailable', `${address} cannot be reached: ${code ?? message}.`, LOOK, { cause });
  }
}

async function textOf({ body }: Response, address: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.length;
    if (bytes > MOST_MB * 1_000_000) {
      throw new CmkError('ServiceUnavailable', `${address} answers with more than ${MOST_MB} MB.`, LOOK);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

interface Refusal {
  readonly reason?: string;
  readonly detail?: string;
  readonly nextStep?: string;
}
