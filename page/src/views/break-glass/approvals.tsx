import type { ApprovalGiven, ApprovalRequest, ApprovalsPart } from '../../api/types.ts';
import { useApi } from '../../api/use-poll.ts';
import { approvalTitle, inWords } from '../../names.ts';
import { has, usePerson } from '../../person.ts';
import { serverNow } from '../../server-time.ts';
import { Badge } from '../../ui/badge.tsx';
import { ProblemCard } from '../../ui/problem.tsx';
import { Section } from '../../ui/section.tsx';
import { Since, Time } from '../../ui/time.tsx';
import type { Tone } from '../../ui/tone.ts';
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
  /** Beside what they are about; undefined: that has not been read. */
  readonly of: ApprovalsPart | undefined;
  readonly changed: () => void;
}

/** What others have to approve first, about what is looked at. */
export function Approvals({ of, changed }: ApprovalsProps) {
  const { value = [], problem, reading } = of ?? {};
  if (value.length === 0 && !problem && !reading) return null;
  return (
    <Section title="Approvals">
      {problem && <ProblemCard problem={problem} />}
      {reading && <p class="muted">Whether something waits for approval is being read; nothing here waits for that.</p>}
      <ul class="items">
        {value.slice(0, MOST_SHOWN).map((one) => (
          <Approval key={one.id} one={one} changed={changed} />
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
      {call.answer && !call.answer.restore && (
        <Done tone="good" title={STATES[call.answer.approval.state][1]} warnings={[]}>
          <p>
            {call.answer.approval.approvedBy.length} of {call.answer.approval.needed} have approved.
          </p>
        </Done>
      )}
    </li>
  );
}
