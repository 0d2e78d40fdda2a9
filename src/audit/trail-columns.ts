import type { RecordedEntry } from './trail-filter.ts';

interface TrailRow {
  readonly time: string;
  readonly action: string;
  readonly resource: string;
  readonly by: string;
  readonly why: string | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly reason: string;
  readonly ticket: string | undefined;
  readonly number: string;
  /** Of the actor: `by` is what they call themselves. */
  readonly object_id: string;
  readonly kind: string;
  /** `false`: the record was changed after it was written. */
  readonly intact: string;
}

export function trailRow({ seq, time, intact, entry }: RecordedEntry): TrailRow {
  const { action, reason, resource, caller, details = {} } = entry;
  const text = (name: string): string | undefined => textOf(details[name]);
  return {
    time,
    action,
    resource,
    by: caller?.name ?? caller?.objectId ?? 'the app',
    why: text('why'),
    from: text('from') ?? text('before'),
    to: text('to') ?? text('after'),
    reason,
    ticket: text('ticket'),
    number: String(seq),
    object_id: caller?.objectId ?? '',
    kind: caller?.kind ?? '',
    intact: String(intact),
  };
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
