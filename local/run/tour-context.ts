import { requestToken } from './token.ts';

/** Arguments of the tour, which runs in its own process and is a client of the local Azure like any other. */
export interface TourContext {
  /** The Functions host, `http://127.0.0.1:PORT`. */
  readonly host: string;
  /** The app's API, `…/api`. */
  readonly api: string;
  /** Control API of the local Azure. */
  readonly control: string;
  /** The content of `.local/env`. It is the process's environment too, with an owner's sign-in. */
  readonly env: Readonly<Record<string, string>>;
  /** Output of the steps: a terminal or a pipe. */
  readonly out: NodeJS.WriteStream;
  /** An access token for the API: `revoker`, `restorer`, `operator`, `second-operator`, `outsider`, `robot`. */
  token(signIn: string): Promise<string>;
}

/** `ok` of the `steps` succeeded. */
export interface TourResult {
  readonly steps: number;
  readonly ok: number;
}

export function tourContext(env: Readonly<Record<string, string>>, out: NodeJS.WriteStream): TourContext {
  const { CMK_API: api = '', LOCAL_AZURE_CONTROL: control = '' } = env;
  return { host: new URL(api).origin, api, control, env, out, token: (signIn) => requestToken(control, signIn) };
}
