import { z } from 'zod';
import type { Reason } from '../errors/reasons.ts';
import { parseJson } from './parse-json.ts';
import { createShellCommand, NO_COMMAND, renderCommandOr, type ShellOption } from './shell-command.ts';

/** Obstacle for a request in Azure until an administrator removes it. */
export interface Block {
  readonly reason: Extract<Reason, 'DeniedByPolicy' | 'ScopeLocked' | 'Refused'>;
  readonly message: string;
  readonly nextStep: string;
}

/** Blocks by Azure's error code: a retry gets the same answer until an administrator acts. */
const BLOCKS: Readonly<Record<string, (message: string) => Block>> = {
  RequestDisallowedByPolicy: deniedByPolicy,
  ScopeLocked: locked,
  ReadOnlyDisabledSubscription: (message) => ({
    reason: 'Refused',
    message,
    nextStep: 'Enable the subscription again (its billing owner can), then repeat the request.',
  }),
  MissingSubscriptionRegistration: (message) => ({
    reason: 'Refused',
    message,
    nextStep: 'Register the resource provider (az provider register --namespace <namespace>), then repeat the request.',
  }),
};

/** @param message first line of Azure's message */
export function findBlock(code: string, message: string): Block | undefined {
  return Object.hasOwn(BLOCKS, code) ? BLOCKS[code]?.(message) : undefined;
}

const NAMED = z.object({ name: z.string(), id: z.string() });
/** Format of the policy identifiers in messages of Azure Resource Manager. */
const IDENTIFIERS = z.array(
  z.object({
    policyAssignment: NAMED,
    policyDefinition: NAMED,
    policySetDefinition: NAMED.optional().catch(undefined),
  }),
);
const IDENTIFIERS_TEXT = / *Policy identifiers: '(\[.*\])'\.?/;

function deniedByPolicy(text: string): Block {
  const [all = '', json = ''] = IDENTIFIERS_TEXT.exec(text) ?? [];
  const found = IDENTIFIERS.safeParse(parseJson(json)).data ?? [];
  const which = found.map(({ policyDefinition, policySetDefinition, policyAssignment }) => {
    const initiative = policySetDefinition ? ` of the initiative "${policySetDefinition.name}"` : '';
    return `the policy "${policyDefinition.name}"${initiative}, assigned as "${policyAssignment.name}" (${policyAssignment.id})`;
  });

  // The message itself, if it has no identifiers or also has the assignment's reasons.
  const rest = which.length === 0 || text.includes('Reasons: ') ? ` ${text.replace(all, '').trim()}` : '';
  const assignment: ShellOption[] = found.slice(0, 1).map((one) => ['--policy-assignment', one.policyAssignment.id]);
  const exempt = createShellCommand('az policy exemption create --exemption-category Waiver', assignment);

  return {
    reason: 'DeniedByPolicy',
    message: `Azure Policy denies the request${which.length > 0 ? `: ${which.join('; ')}` : ''}.${rest}`,
    nextStep: `Change the assignment, or exempt the resource from it${exempt === NO_COMMAND ? '' : ` (${exempt} --name <name> --scope <resource>)`}, then repeat the request.`,
  };
}

function locked(text: string): Block {
  const [, scope] = /locked: '([^']+)'/.exec(text) ?? [];
  const [, subscription, group] = /^\/subscriptions\/([^/]+)(?:\/resourceGroups\/([^/]+))?/i.exec(scope ?? '') ?? [];
  const list = createShellCommand('az lock list', [
    ...(subscription ? [['--subscription', subscription] as const] : []),
    ...(group ? [['--resource-group', group] as const] : []),
  ]);

  return {
    reason: 'ScopeLocked',
    message: scope === undefined ? text : `A lock on ${scope} forbids the change.`,
    nextStep: `Remove the lock (${renderCommandOr(list, 'az lock list')} shows its id, az lock delete --ids <id> removes it), repeat the request, and set the lock again.`,
  };
}
