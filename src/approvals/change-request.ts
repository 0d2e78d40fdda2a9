import { isDeepStrictEqual } from 'node:util';
import { CmkError } from '../errors.ts';
import { REASONS } from '../reasons.ts';
import { type ApprovalRefusal, type ApprovalRequest, isSameDeed } from './approval.ts';
import type { ApprovalStore, KeptApproval } from './approval-store-client.ts';

/** Others may change a request at the same moment; so often it is read again. */
const MOST_ROUNDS = 10;

/** A request with what was done to it and is not on record: they are written together. */
export type ChangedApproval = Omit<KeptApproval, 'etag'>;

/**
 * Changes a request. Errors are those of the store.
 *
 * @param decide what becomes of it, as it is found; asked again when somebody else was faster
 * @throws {@link CmkError} with an `ApprovalRefusal`, `ApprovalNotFound` or `Busy`
 */
export async function changeRequest<C extends ChangedApproval>(
  id: string,
  approvals: ApprovalStore,
  decide: (
    found: KeptApproval,
  ) => C | { readonly refused: ApprovalRefusal } | Promise<C | { readonly refused: ApprovalRefusal }>,
): Promise<C> {
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    const found = await keptRequest(id, approvals);
    const decided = await decide(found);
    if ('refused' in decided) throw refused(decided.refused);
    if (await isPut(decided, found.etag, approvals)) return decided;
  }
  throw new CmkError('Busy', 'Others change the same request all the time.', 'Repeat the call.');
}

/**
 * Whether it stands there. An answer may be lost, and the client that tries again be refused by its own first try: nobody else
 * would count the approval, or carry out what it was the last for. What is not on record may be by then, by somebody else.
 */
export async function isPut(
  { request, unrecorded }: ChangedApproval,
  etag: string | undefined,
  approvals: ApprovalStore,
): Promise<boolean> {
  const isThere = async () => {
    const there = await approvals.get(request.id);
    if (!there || !isDeepStrictEqual(plain(there.request), plain(request))) return false;
    return there.unrecorded.every((deed) => unrecorded.some((own) => isSameDeed(own, deed)));
  };
  try {
    return (await approvals.put(request, etag, unrecorded)) || (await isThere());
  } catch (error) {
    if (await isThere().catch(() => false)) return true;
    throw error;
  }
}

/** As it is kept: without what is undefined. */
function plain(request: ApprovalRequest): unknown {
  return JSON.parse(JSON.stringify(request));
}

function refused(reason: ApprovalRefusal): CmkError {
  return new CmkError(reason, REASONS[reason], 'GET /api/approvals shows how it stands.');
}

/** @throws {@link CmkError} `ApprovalNotFound`, `ApprovalAltered` */
export async function keptRequest(id: string, approvals: Pick<ApprovalStore, 'get'>): Promise<KeptApproval> {
  // The id becomes part of a name.
  const found = /^[0-9a-z]{8,64}$/.test(id) ? await approvals.get(id) : undefined;
  // Who may write the storage could have put another request in the place of the one that is meant.
  if (found && found.request.id !== id) throw refused('ApprovalAltered');
  if (found) return found;
  throw new CmkError('ApprovalNotFound', REASONS.ApprovalNotFound, 'GET /api/approvals lists those there are.');
}
