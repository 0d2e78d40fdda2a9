import type { LocalAzure } from '../../local/azure/server.ts';
import type { Principal } from '../../local/azure/world.ts';
import { appEnvironment, appSettings } from '../../local/run/app-environment.ts';
import { SELDOM } from '../support/app.ts';
import { built } from '../support/built.ts';
import { type Child, startChild } from '../support/child.ts';
import { eventually } from '../support/eventually.ts';

/** The fields of answers and problems; a test fails if a field that it reads is missing. */
export interface Body {
  readonly [field: string]: unknown;
  readonly reason: string;
  readonly detail: string;
  readonly nextStep: string;
  readonly audit: string;
  readonly auditReceipt?: string;
  readonly complete: boolean;
  readonly elapsedMs: number;
  readonly revocation?: { readonly id: string };
  readonly versions: readonly { readonly version: string; readonly state: string; readonly after: string }[];
  readonly dependents: {
    readonly complete: boolean;
    readonly accounts: readonly object[];
    readonly unread: readonly { readonly what: string }[];
  };
  readonly warnings: readonly string[];
}

/** An answer of the API, its body parsed. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  readonly text: string;
}

export interface Call {
  /** A sign-in of the local tenant, a token as it is, or none. */
  readonly as?: string | { readonly token: string } | undefined;
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** The bundled app in the local Functions host, a process of its own as in Azure. */
export interface RunningApp {
  readonly url: string;
  readonly pid: number;
  readonly output: () => string;
  /** Calls the API, `path` below `/api`. */
  call(path: string, call?: Call): Promise<Answer>;
  /** At once, or as a platform does that gives notice. */
  stop(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

/** Starts the app; a setting that is `undefined` is not there at all. */
export async function startApp(
  azure: LocalAzure,
  connectionString: string,
  settings: Readonly<Record<string, string | undefined>> = {},
): Promise<RunningApp> {
  const all = { ...appSettings(connectionString, SELDOM), ...settings };
  const present = Object.fromEntries(Object.entries(all).flatMap(([name, value]) => (value ? [[name, value]] : [])));
  const env = { ...appEnvironment(present, azure.env, {}), PORT: '0', NODE_NO_WARNINGS: '1' };
  const { host, app } = await built();
  const child: Child = startChild(host, ['--app', app], env);
  const [, url = ''] = await child.says(/^host ready (\S+)$/m);

  return {
    url,
    pid: child.process.pid ?? 0,
    output: child.output,
    async call(path, { as, method = 'GET', body, headers = {} } = {}) {
      const token = typeof as === 'string' ? tokenOf(azure, as) : as?.token;
      const response = await fetch(`${url}/api${path}`, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });

      const text = await response.text();

      return { status: response.status, headers: response.headers, body: parsed(text) as Body, text };
    },
    async stop(signal = 'SIGKILL') {
      child.process.kill(signal);
      await child.exit;
    },
  };
}

/** Runs a drift check as an operator. On a busy machine its report comes after the answer. */
export async function checkDrift(of: RunningApp): Promise<Answer> {
  const begun = await of.call('/drift', { as: 'operator', method: 'POST' });
  if (begun.status !== 202) return begun;
  const path = String(begun.body.location).replace(/^\/api/, '');
  return eventually('the report is there', async () => {
    const answer = await of.call(path, { as: 'operator' });
    return answer.status !== 202 && answer;
  });
}

export function signIn(azure: LocalAzure, name: string): Principal {
  const found = [...azure.world.principals.values()].find(({ displayName }) => displayName === name);
  if (!found) throw new Error(`The local tenant has no sign-in ${name}.`);
  return found;
}

export function tokenOf(azure: LocalAzure, name: string): string {
  return azure.tokens.issue(signIn(azure, name), 'api://cmk-autopilot').token;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
