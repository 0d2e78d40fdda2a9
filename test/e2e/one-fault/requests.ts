import type { LoggedRequest } from '../../../local/azure/wire/request-log.ts';
import type { App } from '../../support/app.ts';
import type { Subject } from './flows.ts';

/** One request of a flow: the n-th of its kind. */
export interface Step {
  readonly host: string;
  readonly method: string;
  /** The path with `{key}`, `{account1}`, `{account2}` and `{id}` for what differs from run to run. */
  readonly path: string;
  /** So many of the same kind come before it. */
  readonly nth: number;
}

export const titleOf = ({ method, host, path, nth }: Step) => `${method} ${host}${path.split('?')[0]} #${nth + 1}`;

/** What the app asked for a subject, in order. What it asks again and again (how a file service looks now) counts twice. */
export function stepsOf(requests: readonly LoggedRequest[], subject: Subject): Step[] {
  const seen = new Map<string, number>();
  return requests
    .filter(({ caller, refused }) => caller === 'id-cmk-app' && !refused)
    .flatMap(({ host, method, path }) => {
      const step = { host: general(host, subject), method, path: general(path, subject) };
      const kind = JSON.stringify(step);
      const nth = seen.get(kind) ?? 0;
      seen.set(kind, nth + 1);
      return host.includes('.file.') && nth > 1 ? [] : [{ ...step, nth }];
    });
}

function general(text: string, { key, accounts }: Subject): string {
  let result = text.replaceAll(key.name, '{key}');
  for (const [index, { name }] of accounts.entries()) result = result.replaceAll(name, `{account${index + 1}}`);
  return result.replaceAll(/[0-9a-f]{32}/g, '{id}');
}

/** What a rule has to match to mean this step of this subject. */
export function matchOf({ host, method, path }: Step, { key, accounts }: Subject): object {
  const special = (text: string, any: string) =>
    text
      .replaceAll('{key}', key.name)
      .replaceAll(/\{account(\d)\}/g, (_, number) => accounts[Number(number) - 1]?.name ?? '')
      .replaceAll('{id}', any);
  const literal = path.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
  return { host: special(host, '*'), method, path: `^${special(literal, '[0-9a-f]{32}')}$` };
}

/** Waits until nothing is left to be done, and moves the clock to what is due only later. */
export async function rest(app: App, limitMs: number): Promise<string[]> {
  const end = Date.now() + limitMs;
  let quiet = 0;
  let idle = 0;
  while (quiet < 2) {
    const left = (await app.count('key-work')) + (await app.count('account-work'));
    const pending = app.azure.events.filter((event) => (event as { outcome: string }).outcome === 'pending').length;
    const running = await app.running();
    quiet = left + pending + running === 0 ? quiet + 1 : 0;
    // Somebody at work is not hurried: a clock that jumps would end what they hold.
    idle = running === 0 ? idle + 1 : 0;
    if (quiet === 0 && idle >= 3) {
      await app.advance(20_000);
      idle = 0;
    }
    if (Date.now() > end) return [`not at rest: ${left} messages, ${pending} events, ${running} functions that run`];
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return [];
}
