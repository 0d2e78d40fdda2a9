import type { InvocationContext } from '@azure/functions';
import type { KeyEvent } from '../events/key-vault-event.ts';
import type { Services } from '../services.ts';
import type { SpanAttributes, Telemetry } from '../telemetry/telemetry.ts';
import type { Work } from '../work/messages.ts';
import type { Outcome } from '../work/outcome.ts';

type Invocation = Pick<InvocationContext, 'traceContext'>;

const NAMES: Readonly<Record<Work['kind'], string>> = {
  key: 'reconcile key',
  account: 'look at account',
  scopes: 'ask for scopes',
  subscriptions: 'reconcile subscriptions',
  changes: 'check changes',
  rotate: 'rotate when due',
  rotation: 'follow rotation',
  rekey: 'carry out re-key',
  approval: 'drop request for approval',
  probe: 'probe file shares',
  notify: 'notify',
  revocation: 'settle revocation',
  accountRevocation: 'drop message of version 2',
};

/**
 * A piece of work as a span. One from a queue goes on with the trace of whoever put it there, and names the host's own
 * part in it; one that is done where it was found stands below what found it.
 */
export function workSpan(
  work: Work,
  telemetry: Telemetry,
  run: () => Promise<Outcome>,
  received?: Invocation,
): Promise<Outcome> {
  const host = received?.traceContext?.traceParent;
  const attributes = {
    'cmk.attempt': work.attempt,
    ...('key' in work ? { 'cmk.key': work.key } : {}),
    ...('account' in work ? { 'cmk.account': work.account } : {}),
  };
  const { traceparent } = work;
  const place = traceparent ? { parent: traceparent, link: host } : { parent: host };
  return telemetry.span(NAMES[work.kind], { ...(received ? place : {}), attributes }, run, outcomeAttributes);
}

function outcomeAttributes(outcome: Outcome): SpanAttributes {
  return {
    'cmk.outcome': outcome.outcome,
    ...(outcome.outcome === 'done' ? {} : { 'cmk.reason': outcome.reason }),
  };
}

/** What comes of an event as a span, the first of its trace but for the host's own. */
export async function eventSpan<T>(
  { type, id, key }: KeyEvent,
  invocation: Invocation & { readonly since: Date },
  { telemetry }: Pick<Services, 'telemetry'>,
  run: () => Promise<T>,
): Promise<T> {
  await telemetry.ready();
  const place = {
    parent: invocation.traceContext?.traceParent,
    since: invocation.since,
    attributes: { 'cmk.key': key.id, 'cmk.event': id },
  };
  return telemetry.span(type, place, run);
}
