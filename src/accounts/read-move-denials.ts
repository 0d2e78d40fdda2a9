import type { ResourceId } from '../azure/resource-id.ts';
import {
  type AssignedPolicy,
  confirmMoveDenials,
  listMoveDenials,
  type MoveDenial,
  type MoveDenials,
} from './move-denials.ts';
import type { PolicyInsights } from './policy-insights-client.ts';

/** The denials of the accounts of a subscription, by Azure's last evaluation of them. */
export interface ReadDenials {
  readonly denials: MoveDenials;
  /** Undefined: not read. */
  readonly assigned: readonly AssignedPolicy[] | undefined;
}

/**
 * Reads what Azure Policy denies of the accounts of a subscription, with one query. It is advice: no move waits for it.
 *
 * @throws errors of the query
 */
export async function readMoveDenials(
  subscriptionId: string,
  policies: PolicyInsights,
  signal?: AbortSignal,
): Promise<ReadDenials> {
  const states = await policies.denied(subscriptionId, signal);
  if (listMoveDenials(states, undefined).size === 0) return { denials: new Map(), assigned: undefined };

  // Without the assignments a denial lacks its name, and may be one that is not enforced.
  const assigned = await policies.assigned(subscriptionId, signal).catch(() => undefined);

  return { denials: listMoveDenials(states, assigned), assigned };
}

/** The denials of an account, confirmed as far as Azure evaluates it now. Never throws. */
export async function confirmDenialsOf(
  account: ResourceId,
  { denials, assigned }: ReadDenials,
  policies: PolicyInsights,
  signal?: AbortSignal,
): Promise<readonly MoveDenial[]> {
  const before = denials.get(account.id.toLowerCase()) ?? [];
  const evaluations = await policies.evaluate(account, signal).catch(() => undefined);

  return evaluations ? confirmMoveDenials(before, evaluations, assigned) : before;
}
