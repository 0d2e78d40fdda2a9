import { useEffect, useRef, useState } from 'preact/hooks';
import { type Problem, toProblem } from '../api/client.ts';
import type { FleetList, FleetRow } from '../api/types.ts';
import { type Polled, useApi, usePoll } from '../api/use-poll.ts';

/** Rows of a page: as many as the API gives at once. */
const PAGE = 1_000;
/** A further page that could not be read is asked for again after so long. Milliseconds. */
const AGAIN_MS = 10_000;

interface Fleet {
  readonly rows: readonly FleetRow[];
  readonly summary: FleetList['summary'] | undefined;
  readonly warnings: readonly string[];
  /** False while further pages are read. */
  readonly isWhole: boolean;
  /** Why a further page could not be read yet. */
  readonly problem: Problem | undefined;
  readonly polled: Polled<FleetList>;
}

interface Rest {
  /** The first page that these go on from. */
  readonly first: FleetList | undefined;
  readonly rows: readonly FleetRow[];
  readonly isWhole: boolean;
}

/** The whole fleet. The first page is polled; the others are read when it has changed, which it does when any account has. */
export function useFleet(): Fleet {
  const api = useApi();
  const polled = usePoll<FleetList>(`/fleet?top=${PAGE}`, 20_000);
  const first = polled.data;
  const [rest, setRest] = useState<Rest>({ first: undefined, rows: [], isWhole: false });
  const [problem, setProblem] = useState<Problem>();
  const whole = useRef<readonly FleetRow[]>([]);
  useEffect(() => {
    if (!first) return;
    const stopped = new AbortController();
    const read = async () => {
      let rows: readonly FleetRow[] = [];
      for (let next = first.nextLink; next && !stopped.signal.aborted; ) {
        try {
          const { body }: { readonly body: FleetList | undefined } = await api.get<FleetList>(next, {
            signal: stopped.signal,
          });
          rows = [...rows, ...(body?.value ?? [])];
          next = body?.nextLink;
          if (stopped.signal.aborted) return;
          setProblem(undefined);
          setRest({ first, rows, isWhole: next === undefined });
        } catch (error) {
          if (stopped.signal.aborted) return;
          setProblem(toProblem(error));
          await new Promise((resolve) => window.setTimeout(resolve, AGAIN_MS));
        }
      }
    };
    setProblem(undefined);
    if (first.nextLink) void read();
    else setRest({ first, rows: [], isWhole: true });
    return () => stopped.abort();
  }, [api, first]);
  const isWhole = rest.first === first && rest.isWhole;
  const joined = useRef<{ readonly key: readonly [unknown, unknown]; readonly rows: readonly FleetRow[] } | undefined>(
    undefined,
  );
  if (joined.current?.key[0] !== first || joined.current?.key[1] !== rest.rows) {
    const rows = [...(first?.value ?? []), ...(rest.first === first ? rest.rows : [])];
    joined.current = { key: [first, rest.rows], rows };
  }
  // While the pages of a newer reading come in, the older one stands.
  if (isWhole) whole.current = joined.current.rows;
  const rows = isWhole || whole.current.length === 0 ? joined.current.rows : whole.current;
  return { rows, summary: first?.summary, warnings: first?.warnings ?? [], isWhole, problem, polled };
}
