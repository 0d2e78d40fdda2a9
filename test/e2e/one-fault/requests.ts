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

export const titleOf = ({ method, host, path, nth }: Step) =>
  `${method} ${host}${isStorage(host) ? path : path.split('?')[0]} #${nth + 1}`;

/** The app's own storage, where what is asked does not say which key it is about. */
const isStorage = (host: string) => host.startsWith('stcmkapp.');
/** What the host asks of itself, at its own times: whether there is work, and that a message stays hidden. */
const BY_HOST = /^(GET|PUT) \/(key|fleet|account|notify)-work\/messages/;

/** Where both logs stand. */
export const markOf = ({ azure }: App) => ({ azure: azure.requests.last, storage: azure.storageRequests.last });

/** What the app has asked for a subject since the mark. What it asks again and again counts twice. */
export function stepsOf({ azure }: App, since: ReturnType<typeof markOf>, subject: Subject): Step[] {
  const asked = azure.requests.since(since.azure).filter(({ caller }) => caller === 'id-cmk-app');
  const stored = azure.storageRequests
    .since(since.storage)
    .filter(({ method, path }) => !BY_HOST.test(`${method} ${path}`));
  const seen = new Map<string, number>();

  return [...asked, ...stored].flatMap((request) => {
    const kind = kindOf(request, subject);
    const text = JSON.stringify(kind);
    const nth = seen.get(text) ?? 0;
    seen.set(text, nth + 1);
    const often = isStorage(kind.host) || kind.host.includes('.file.');
    return often && nth > 1 ? [] : [{ ...kind, nth }];
  });
}

function kindOf({ host, method, path }: LoggedRequest, { key, accounts }: Subject): Omit<Step, 'nth'> {
  if (isStorage(host)) {
    // A row of a table is in brackets.
    const [, container = '', row, rest] = /^\/([^/?(]*)(\([^/?]*\))?(\/[^?]*)?/.exec(path) ?? [];
    if (row) return { host, method, path: `/${container}${row === '()' ? row : '({id})'}` };

    const messages = rest?.startsWith('/messages') ? rest.replace(/\/messages\/.*/, '/messages/{id}') : undefined;
    const comp = new URLSearchParams(path.split('?')[1]).get('comp');

    return { host, method, path: `/${container}${messages ?? (rest ? '/{id}' : '')}${comp ? `?comp=${comp}` : ''}` };
  }

  const general = (text: string) => {
    let result = text.replaceAll(key.name, '{key}');
    for (const [index, { name }] of accounts.entries()) result = result.replaceAll(name, `{account${index + 1}}`);
    return result.replaceAll(/[0-9a-f]{32}/g, '{id}');
  };

  return { host: general(host), method, path: general(path) };
}

/** A file of the audit trail is found and begun once a day: no run has to ask for it, even if the quiet one did. */
export function isOnceADay({ host, method, path }: Step): boolean {
  if (!isStorage(host)) return false;
  return (method === 'PUT' && path === '/cmk-audit/{id}') || (method === 'GET' && path === '/cmk-audit?comp=list');
}

/** What a rule has to match to mean this step of this subject (in the app's storage: of any). */
export function matchOf({ host, method, path }: Step, { key, accounts }: Subject): object {
  const literal = (text: string) => text.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);

  if (isStorage(host)) {
    const [before = '', comp] = path.split('?comp=');
    const query = comp === undefined ? String.raw`(\?(?!.*\bcomp=)|$)` : String.raw`\?(.*&)?comp=${comp}(&|$)`;
    return { host, method, path: `^${literal(before).replace('{id}', '[^?]+')}${query}` };
  }

  const special = (text: string, any: string) =>
    text
      .replaceAll('{key}', key.name)
      .replaceAll(/\{account(\d)\}/g, (_, number) => accounts[Number(number) - 1]?.name ?? '')
      .replaceAll('{id}', any);

  return { host: special(host, '*'), method, path: `^${special(literal(path), '[0-9a-f]{32}')}$` };
}

/** Waits until nothing is left to be done, and moves the clock to what is due only later. Answers why it gave up. */
export async function rest(app: App, limitMs: number): Promise<string[]> {
  const end = Date.now() + limitMs;
  let quiet = 0;
  let idle = 0;

  while (quiet < 2) {
    // The check of changes waits for the lease that the test holds.
    const left = await app.left('changes');
    const pending = app.azure.events.filter((event) => (event as { outcome: string }).outcome === 'pending').length;
    const running = await app.running();

    quiet = left + pending + running === 0 ? quiet + 1 : 0;

    // The clock does not jump while a worker runs, or its leases would expire.
    idle = running === 0 ? idle + 1 : 0;
    if (quiet === 0 && idle >= 3) {
      await app.advance(20_000);
      idle = 0;
    }

    if (Date.now() > end) {
      return [`not at rest: ${left} messages and work items, ${pending} events, ${running} functions that run`];
    }

    await new Promise((resolve) => setTimeout(resolve, 100));
  }

  return [];
}
