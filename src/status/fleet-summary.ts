import { formatCauseLabel } from '../keys/resource-label.ts';
import type { Health, HealthCause } from './health.ts';
import { HEALTH_STATES, type HealthState } from './health-states.ts';

/** The sentence begins with the good news. */
const IN_SENTENCE: readonly HealthState[] = ['Serving', ...HEALTH_STATES.filter((state) => state !== 'Serving')];
const MOST_CAUSES = 20;

/** A cause and its number of accounts. */
interface SummaryCause extends HealthCause {
  readonly state: HealthState;
  readonly accounts: number;
  /** `id-storage on kv-files`. */
  readonly label: string;
  /** The earliest start among the accounts (ISO 8601); absent if none is recorded. */
  readonly since: string | undefined;
}

/**
 * Counts the states of a fleet and its causes. The worst state comes first, and the cause with the most accounts.
 *
 * @param all an entry for each account, or for `accounts` with the same health
 */
export function summarizeFleet(all: Iterable<Health & { readonly accounts?: number }>) {
  const states = Object.fromEntries(HEALTH_STATES.map((state) => [state, 0])) as Record<HealthState, number>;
  const causes = new Map<string, SummaryCause>();
  let accounts = 0;

  for (const { state, cause, since, accounts: many = 1 } of all) {
    accounts += many;
    states[state] += many;

    if (!cause) continue;

    const known = causes.get(`${state} ${cause.id}`);
    const earliest = [known?.since, since].filter((one) => one !== undefined).sort()[0];
    causes.set(`${state} ${cause.id}`, {
      ...(known ?? { ...cause, label: formatCauseLabel(cause), state }),
      accounts: (known?.accounts ?? 0) + many,
      since: earliest,
    });
  }

  const ordered = [...causes.values()].sort(
    (a, b) => HEALTH_STATES.indexOf(a.state) - HEALTH_STATES.indexOf(b.state) || b.accounts - a.accounts,
  );
  const named = ordered.slice(0, MOST_CAUSES);
  const text = sentence(accounts, states, ordered);

  return { accounts, states, causes: named, moreCauses: ordered.length - named.length, text };
}

/** `2,013 accounts: 3 serving, 2,010 no access (id-storage on kv-files)`. */
function sentence(
  accounts: number,
  states: Readonly<Record<HealthState, number>>,
  causes: readonly SummaryCause[],
): string {
  const parts = IN_SENTENCE.filter((state) => states[state] > 0).map((state) => {
    // `NoAccess` becomes `no access`.
    const words = state.replaceAll(/\B[A-Z]/g, ' $&').toLowerCase();
    const [first, ...more] = causes.filter((cause) => cause.state === state && cause.label !== '');
    const others = more.length > 0 ? `, and ${more.length} more` : '';
    return `${formatCount(states[state])} ${words}${first ? ` (${first.label}${others})` : ''}`;
  });

  const total = `${formatCount(accounts)} ${accounts === 1 ? 'account' : 'accounts'}`;
  return parts.length === 0 ? total : `${total}: ${parts.join(', ')}`;
}

function formatCount(number: number): string {
  return number.toLocaleString('en');
}
