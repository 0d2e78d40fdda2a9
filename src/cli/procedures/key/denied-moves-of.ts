import pMap from 'p-map';
import { describeMoveDenial, formatExempt, type MoveDenial } from '../../../accounts/move-denials.ts';
import { confirmDenialsOf, type ReadDenials, readMoveDenials } from '../../../accounts/read-move-denials.ts';
import { describeError } from '../../../azure/failure.ts';
import { CONCURRENCY } from '../../../azure/limits.ts';
import { parseStorageAccountId, type ResourceId } from '../../../azure/resource-id.ts';
import { NO_COMMAND } from '../../../azure/shell-command.ts';
import { formatCount } from '../../../formats/text.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import type { Environment } from '../../../settings/settings.ts';
import type { Operation } from '../operator-azure.ts';
import { readBlastRadiusAsOperator } from './blast-radius-of.ts';

const READ_MS = 60_000;
/** Maximum number of accounts per subscription that Azure Policy evaluates; of the others, the last evaluation counts. */
const EVALUATIONS = 50;

interface DeniedMove {
  /** ARM id. */
  readonly account: string;
  readonly denials: readonly MoveDenial[];
}

const NOTHING: ReadDenials = { denials: new Map(), assigned: undefined };

/**
 * Finds the pinned accounts of a key whose move to a new version Azure Policy would deny, and notes how to exempt them.
 * What cannot be read is noted: it hinders no rotation.
 */
export async function findDeniedMoves(
  key: ManagedKey,
  environment: Environment,
  { azure, journal }: Operation,
): Promise<readonly DeniedMove[]> {
  const { accounts } = await readBlastRadiusAsOperator(key, azure, environment, READ_MS);
  const pinned = accounts.filter(({ mode }) => mode === 'pinned').flatMap(({ id }) => parseStorageAccountId(id) ?? []);
  const subscriptions = [...Map.groupBy(pinned, ({ subscriptionId }) => subscriptionId.toLowerCase())];

  const found = await pMap(
    subscriptions,
    async ([subscriptionId, of]) => {
      const read = await readMoveDenials(subscriptionId, azure.policyInsights).catch((error: unknown) => {
        journal.note(`Azure Policy was not read in subscription ${subscriptionId}: ${describeError(error)}`);
        return NOTHING;
      });
      return pMap(of, (account, index) => deniedMoveOf(account, read, index < EVALUATIONS, azure), {
        concurrency: CONCURRENCY,
      });
    },
    { concurrency: 1 },
  );

  const denied = found.flat().filter(({ denials }) => denials.length > 0);

  journal.found(`Azure Policy would deny the move of ${formatCount(denied.length, 'pinned account')}`);
  for (const text of denied.flatMap(describeDenied)) journal.note(text);

  return denied;
}

async function deniedMoveOf(
  account: ResourceId,
  read: ReadDenials,
  isEvaluated: boolean,
  { policyInsights }: Operation['azure'],
): Promise<DeniedMove> {
  const { id } = account;
  if (!isEvaluated) return { account: id, denials: read.denials.get(id.toLowerCase()) ?? [] };

  return { account: id, denials: await confirmDenialsOf(account, read, policyInsights) };
}

function describeDenied({ account, denials }: DeniedMove): string[] {
  const name = account.slice(account.lastIndexOf('/') + 1);

  return denials.map((denial) => {
    const exempt = formatExempt(account, denial.assignment, denial.reference);
    return `${name}: ${describeMoveDenial(denial)}${exempt === NO_COMMAND ? '' : ` To exempt it: ${exempt}`}`;
  });
}
