import type { ApprovalGiven, ApprovalList, ApprovalRequest } from '../../api/types.ts';
import { type Polled, useApi } from '../../api/use-poll.ts';
import { approvalAccount, approvalSubject, approvalTitle, inWords } from '../../names.ts';
import { has, usePerson } from '../../person.ts';
import { serverNow } from '../../server-time.ts';
import { Badge } from '../../ui/badge.tsx';
import { Section } from '../../ui/section.tsx';
import { Since, Time } from '../../ui/time.tsx';
import type { Tone } from '../../ui/tone.ts';
import { AccountRestored } from './account-answers.tsx';
import { Done, Refused } from './answer.tsx';
import { RestoreAnswered } from './restore.tsx';
import { useCall } from './use-call.ts';

const STATES: Readonly<Record<ApprovalRequest['state'], readonly [Tone, string]>> = {
  waiting: ['warn', 'Waits for approval'],
  running: ['info', 'Being carried out'],
  done: ['good', 'Carried out'],
  failed: ['bad', 'Failed'],
  withdrawn: ['none', 'Taken back'],
  unknown: ['warn', 'Cut off: look how it ended'],
};
const MOST_SHOWN = 20;

interface ApprovalsProps {
  readonly of: Polled<ApprovalList>;
  readonly vault?: string;
  readonly name?: string;
  /** Of one account, below its key. */
  readonly account?: string;
  readonly changed?: () => void;
}

/** What others have to approve first; of one key, of one account, or of all. */
export function Approvals({ of, vault, name, account, changed }: ApprovalsProps) {
  const all = (of.data?.value ?? []).filter(
    (one) =>
      (!vault || (same(one.vault ?? '', vault) && same(one.key ?? '', name ?? ''))) &&
      (!account || same(approvalAccount(one) ?? '', account)),
  );
  if (all.length === 0) return null;
  const again = () => {
    of.refresh();
    changed?.();
  };
  return (
    <Section title="Approvals" of={of}>
      <ul class="items">
        {all.slice(0, MOST_SHOWN).map((one) => (
          <Approval key={one.id} one={one} changed={again} />
        ))}
      </ul>
    </Section>
  );
}

function Approval({ one, changed }: { readonly one: ApprovalRequest; readonly changed: () => void }) {
  const api = useApi();
  const me = usePerson();
  const call = useCall<ApprovalGiven>();
  const path = `/api/approvals/${encodeURIComponent(one.id)}`;
  const isMine = one.askedBy.objectId.toLowerCase() === me.objectId;
  const isOpen = one.state === 'waiting' && Date.parse(one.expiresOn) > serverNow().getTime();
  const [tone, words] = STATES[one.state];
  const approve = () =>
    void call.run(async () => (await api.post<ApprovalGiven>(`${path}/approve`)).body).then(changed);
  const withdraw = () => void call.run(async () => (await api.delete<ApprovalGiven>(path)).body).then(changed);
  return (
    <li>
      <div class="row">
        <Badge tone={tone}>{one.state === 'waiting' && !isOpen ? 'Expired' : words}</Badge>
        <h3>{approvalTitle(one)}</h3>
        <span class="muted">
          {one.approvedBy.length} of {one.needed} have approved
        </span>
      </div>
      <p>
        “{one.reason}”{one.ticket ? ` (${one.ticket})` : ''}
      </p>
      <p class="muted small-text">
        Asked for by {isMine ? 'you' : (one.askedBy.name ?? one.askedBy.objectId)}, <Since at={one.askedOn} />
        {isOpen && (
          <>
            ; expires <Time at={one.expiresOn} />
          </>
        )}
        {one.outcome && `; ${inWords(one.outcome)}`}
      </p>
      {isOpen && has(me, one.action === 'restore' ? 'CmkKey.Restore' : 'Cmk.Operate') && (
        <div class="actions">
          {isMine ? (
            <button type="button" disabled={call.isRunning} onClick={withdraw}>
              Take it back
            </button>
          ) : (
            <button type="button" class="primary" disabled={call.isRunning} onClick={approve}>
              {call.isRunning ? 'Approving …' : 'Approve'}
            </button>
          )}
        </div>
      )}
      <Refused call={call} />
      {call.answer?.restore && <RestoreAnswered answer={call.answer.restore} />}
      {call.answer?.accountRestore && (
        <AccountRestored answer={call.answer.accountRestore} subject={approvalSubject(one)} />
      )}
      {call.answer && !call.answer.restore && !call.answer.accountRestore && (
        <Done tone="good" title={STATES[call.answer.approval.state][1]} warnings={[]}>
          <p>
            {call.answer.approval.approvedBy.length} of {call.answer.approval.needed} have approved.
          </p>
        </Done>
      )}
    </li>
  );
}

const same = (one: string, other: string) => one.toLowerCase() === other.toLowerCase();
