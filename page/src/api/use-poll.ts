import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';
import { SessionEnded } from '../session.ts';
import { type Api, type Problem, ProblemError, toProblem } from './client.ts';

/** The API that the views call, after a sign-in. */
export const ApiContext = createContext<Api | undefined>(undefined);

export function useApi(): Api {
  const api = useContext(ApiContext);
  if (!api) throw new Error('Views are shown to who is signed in.');
  return api;
}

/** What is known of something that is asked for again and again. */
export interface Polled<T> {
  /** What was read last, however old it is. */
  readonly data: T | undefined;
  /** When it was read last, or found to be as it was. */
  readonly readOn: Date | undefined;
  /** When it was asked for: the answer shows what was done before, and perhaps what was done after. */
  readonly askedOn: Date | undefined;
  /** Why the last try failed; undefined when it did not. */
  readonly problem: Problem | undefined;
  readonly everyMs: number;
  readonly refresh: () => void;
}

interface Kept {
  readonly data: unknown;
  readonly etag: string | undefined;
  readonly askedOn: Date;
  readonly readOn: Date;
  /** Of a list that was read whole, its pages. */
  readonly pages?: readonly unknown[];
}

/** How a path is asked for; one and the same object each time, as another one begins anew. */
export interface PollHow<T> {
  /** Whether the further pages of a list are read too. */
  readonly isAll?: boolean;
  /** What is known after an answer that may be of a part alone; undefined: all is as it was (304). */
  readonly merge?: (before: T | undefined, answer: unknown, at: Date) => T;
  /** Whether some of it is still being read, so that it is asked for again soon. */
  readonly isUnsettled?: (data: T) => boolean;
}

/** With the further pages of a list. */
export const WHOLE_LIST = { isAll: true };
const PLAIN = {};

interface Asked {
  readonly path: string;
  readonly how: PollHow<unknown>;
}

/**
 * What was read, by path: a view that is come back to shows it at once. By what calls the API for one person, so that an
 * answer which is late is not shown to the next. Gone with the page.
 */
const keptBy = new WeakMap<Api, Map<string, Kept>>();
const MOST_KEPT = 200;

function keptOf(api: Api): Map<string, Kept> {
  const kept = keptBy.get(api) ?? new Map<string, Kept>();
  keptBy.set(api, kept);
  return kept;
}

/** For a view that failed on what was read: it is read anew. */
export function forgetAll(api: Api): void {
  keptBy.delete(api);
}

/** A poll takes no longer than this before it counts as failed. Milliseconds. */
const LIMIT_MS = 75_000;
/** For what is still being read, which the answer itself has waited for. Milliseconds. */
const SOON_MS = 1_000;

/**
 * Asks for a path now and then: with its ETag, so that what has not changed is not sent again; not while the page is hidden.
 *
 * @param path below `/api`; undefined: nothing is asked
 * @param everyMs from the end of one answer to the next question
 */
export function usePoll<T>(path: string | undefined, everyMs: number, how: PollHow<T> = PLAIN): Polled<T> {
  const api = useApi();
  const [, redraw] = useState(0);
  const [problem, setProblem] = useState<{ readonly path: string; readonly problem: Problem }>();
  const again = useRef<() => void>(() => undefined);

  useEffect(() => {
    if (path === undefined) return;
    const poll = startPoll(api, { path, how: how as PollHow<unknown> }, everyMs, (found) => {
      setProblem(found && { path, problem: found });
      redraw((count) => count + 1);
    });
    again.current = poll.now;
    return poll.stop;
  }, [api, path, everyMs, how]);

  const known = path === undefined ? undefined : keptOf(api).get(how.isAll ? wholeOf(path) : path);

  return {
    data: known?.data as T | undefined,
    readOn: known?.readOn,
    askedOn: known?.askedOn,
    problem: problem?.path === path ? problem?.problem : undefined,
    everyMs,
    refresh: () => again.current(),
  };
}

function startPoll(api: Api, asked: Asked, everyMs: number, ended: (problem: Problem | undefined) => void) {
  const stopped = new AbortController();
  let timer = 0;
  let running = false;
  let isWanted = false;
  const ask = async (): Promise<void> => {
    if (running || stopped.signal.aborted || document.hidden) return;

    running = true;
    isWanted = false;
    window.clearTimeout(timer);

    let nextMs = everyMs;
    try {
      const data = await read(api, asked, stopped.signal);
      if (asked.how.isUnsettled?.(data)) nextMs = SOON_MS;
      ended(undefined);
    } catch (error) {
      if (stopped.signal.aborted) return;

      // The page itself shows that the session ended; polling starts again after the next sign-in.
      if (!(error instanceof SessionEnded)) ended(toProblem(error));

      // One that may not, or that asks for what is not there, need not ask often; one that is away may be back soon.
      const isRefused = error instanceof ProblemError && error.problem.status >= 400 && error.problem.status < 500;
      nextMs = Math.max(everyMs, isRefused ? 30_000 : 5_000);
    } finally {
      running = false;
      if (!stopped.signal.aborted) timer = window.setTimeout(ask, isWanted ? 0 : nextMs);
    }
  };

  const shown = () => ask();

  document.addEventListener('visibilitychange', shown);

  const unheard = api.whenSignedIn(shown);

  ask();

  return {
    now: () => {
      // What is under way may not show yet what has just been done.
      isWanted = running;
      ask();
    },
    stop: () => {
      stopped.abort();
      window.clearTimeout(timer);
      unheard();
      document.removeEventListener('visibilitychange', shown);
    },
  };
}

/** A page of a list says where the next one is. */
interface Page {
  readonly value?: readonly unknown[];
  readonly nextLink?: string;
}

/** Reads a path, and the pages behind it if it is a list of which all is wanted. */
async function read(api: Api, { path, how }: Asked, signal: AbortSignal): Promise<unknown> {
  const askedOn = new Date();
  const first = await readPage(api, path, signal, how.merge);
  if (!how.isAll || signal.aborted) return first;

  const pages = [first];
  for (let next = nextOf(first); next && !signal.aborted; next = nextOf(pages.at(-1) ?? first)) {
    pages.push(await readPage(api, next, signal));
  }

  const before = keptOf(api).get(wholeOf(path));
  const isSame = pages.length === before?.pages?.length && pages.every((page, index) => page === before.pages?.[index]);
  const { nextLink: _, ...rest } = first as Page;
  const whole = { ...rest, value: pages.flatMap((page) => (page as Page).value ?? []) };
  const data = isSame ? before?.data : whole;
  if (!signal.aborted) keep(api, wholeOf(path), { data, pages, etag: undefined, askedOn, readOn: new Date() });

  return data;
}

const wholeOf = (path: string): string => `${path} whole`;
const nextOf = (page: unknown): string | undefined => (page as Page).nextLink?.replace(/^\/api/, '');

async function readPage(
  api: Api,
  path: string,
  signal: AbortSignal,
  merge?: PollHow<unknown>['merge'],
): Promise<unknown> {
  const before = keptOf(api).get(path);
  const askedOn = new Date();
  const answer = await api.get<unknown>(`/api${path}`, { etag: before?.etag, signal, limitMs: LIMIT_MS });
  const readOn = new Date();
  const newest = answer.status === 304 ? before?.data : answer.body;
  const data = merge ? merge(before?.data, answer.body, readOn) : newest;
  if (!signal.aborted) keep(api, path, { data, etag: answer.etag, askedOn, readOn });

  return data;
}

function keep(api: Api, path: string, what: Kept): void {
  const kept = keptOf(api);
  kept.delete(path);
  kept.set(path, what);
  const [oldest] = kept.keys();
  if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest);
}
