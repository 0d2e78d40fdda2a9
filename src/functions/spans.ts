import type { InvocationContext } from '@azure/functions';
import type { KeyEvent } from '../events/key-vault-event.ts';
import type { Services } from '../services.ts';
import type { SpanAttributes, Telemetry } from '../telemetry/telemetry.ts';
import type { Work } from '../work/messages.ts';
import type { Outcome } from '../work/outcome.ts';

type Invocation = Pick<InvocationContext, 'traceContext'>;

const NAMES: Readonly<Record<Work['kind'], string>> = {
  key: 'reconcile key',
  account: 'reconcile account',
  scopes: 'list scopes',
  subscriptions: 'reconcile subscriptions',
  changes: 'check changes',
  rotate: 'rotate when due',
  rotation: 'reconcile key (message of version 2)',
  rekey: 'reconcile key (message of version 2)',
  approval: 'drop message of version 2',
  probe: 'probe file shares',
  notify: 'notify',
  revocation: 'verify revocation',
  accountRevocation: 'drop message of version 2',
};

/**
 * Runs work in a span. Work from a queue continues the trace of its sender, with a link to the host's span; other work is a child
 * of the current span.
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

/** Handles an event in a span: the first span of its trace, after the host's. */
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
