import { useState } from 'preact/hooks';
import { count, digits, keyLabel, resourceLabel } from '../../../../src/keys/short-names.ts';
import type { RekeyCheck, RekeyOrder, RekeyStatus } from '../../api/types.ts';
import { useApi, usePoll } from '../../api/use-poll.ts';
import { has, usePerson } from '../../person.ts';
import { Badge } from '../../ui/badge.tsx';
import { Prose } from '../../ui/prose.tsx';
import { Since } from '../../ui/time.tsx';
import type { Tone } from '../../ui/tone.ts';
import { Refused } from '../break-glass/answer.tsx';
import { useCall } from '../break-glass/use-call.ts';
import { Why, whyOf } from '../break-glass/why.tsx';
import { Act } from './act.tsx';

const STATES: Readonly<Record<RekeyOrder['state'], readonly [Tone, string]>> = {
  active: ['info', 'Under way'],
  paused: ['none', 'Paused'],
  stopped: ['bad', 'Stopped'],
  verifying: ['info', 'Verifying'],
  done: ['good', 'Done'],
  ended: ['none', 'Ended'],
};

/** Moves all users of a key to another key: the open order, or the form that starts one. */
export function Rekey({ label }: { readonly label: string }) {
  const me = usePerson();

  // Read it when an operator asks, since one request keeps the rest of the view up to date.
  const [isOpen, setOpen] = useState(false);
  const orders = usePoll<{ readonly value: readonly RekeyOrder[] }>(isOpen ? '/rekeys' : undefined, 10_000);

  if (!has(me, 'Cmk.Operate')) return null;

  const about = orders.data?.value.filter(({ from, to }) => [from, to].some((key) => keyLabel(key) === label)) ?? [];
  const open = about.filter(({ state }) => state !== 'done' && state !== 'ended');

  return (
    <details class="act" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Re-key {label}</summary>
      {open.map((order) => (
        <OpenRekey key={order.id} order={order} changed={orders.refresh} />
      ))}
      {orders.data && open.length === 0 && <Start from={label} changed={orders.refresh} />}
      {isOpen && !orders.data && <p class="freshness">{orders.problem ? orders.problem.detail : 'Reading …'}</p>}
    </details>
  );
}

function OpenRekey({ order, changed }: { readonly order: RekeyOrder; readonly changed: () => void }) {
  const api = useApi();
  const path = `/rekeys/${encodeURIComponent(order.id)}`;
  const { data } = usePoll<RekeyStatus>(path, 5_000);
  const { moved = 0, waiting = 0, failed = 0, toDo = [] } = data?.progress ?? {};
  const [tone, words] = STATES[order.state];
  const subject = `the re-key to ${keyLabel(order.to)}`;
  const isHeld = order.state === 'paused' || order.state === 'stopped';
  const change =
    (act: string) =>
    async ({ reason }: { readonly reason: string }) =>
      (await api.post(`/api${path}/${act}`, { reason })).body;
  const rollBack = async ({ reason }: { readonly reason: string }) =>
    (await api.delete(`/api${path}?${new URLSearchParams({ reason })}`)).body;

  return (
    <>
      <div class="row">
        <Badge tone={tone}>{words}</Badge>
        <h3>
          {keyLabel(order.from)} to {keyLabel(order.to)}
        </h3>
      </div>
      <p>
        {digits(moved)} moved, {digits(waiting)} waiting, {digits(failed)} failed. “{order.reason}”, since{' '}
        <Since at={order.startedOn} />
      </p>
      {(data?.order.waits ?? order.paused) && (
        <p>
          <Prose text={data?.order.waits?.detail ?? order.paused?.why ?? ''} />
        </p>
      )}
      {data?.progress.failures.map(({ account, scope, detail }) => (
        <p key={`${account}${scope}`}>
          {resourceLabel(account)}
          {scope && `/${scope}`}: <Prose text={detail} />
        </p>
      ))}
      {toDo.map((text) => (
        <p key={text}>
          <Prose text={text} />
        </p>
      ))}
      <Act
        title={`${isHeld ? 'Resume' : 'Pause'} ${subject}`}
        send={change(isHeld ? 'resume' : 'pause')}
        changed={changed}
        isWithoutTicket
        done={isHeld ? 'Resumed.' : 'Paused.'}
      >
        {isHeld
          ? `${count(waiting, 'account or scope', 'accounts and scopes')} that wait move, and ${count(failed, 'failed move is', 'failed moves are')} retried.`
          : `${count(waiting, 'account or scope', 'accounts and scopes')} that wait stay on ${keyLabel(order.from)} until you resume. What moved stays moved.`}
      </Act>
      <Act
        title={`Roll back ${subject}`}
        send={rollBack}
        changed={changed}
        isWithoutTicket
        done="The app moves everything back."
      >
        {`${count(moved, 'account or scope', 'accounts and scopes')} that moved return to ${keyLabel(order.from)}.`}
      </Act>
    </>
  );
}

interface RekeyBody {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly ticket?: string;
}

/** First a dry run. The form then starts exactly what it checked. */
function Start({ from, changed }: { readonly from: string; readonly changed: () => void }) {
  const api = useApi();
  const check = useCall<RekeyCheck>();
  const start = useCall<object>();
  const [checked, setChecked] = useState<RekeyBody>();
  const submit = (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const body = { from, to: String(new FormData(form).get('to')).trim(), ...whyOf(form) };
    setChecked(body);
    check.run(async () => (await api.post<RekeyCheck>('/api/rekeys?dryRun=true', body)).body);
  };

  const begin = () => start.run(async () => (await api.post<object>('/api/rekeys', checked)).body).then(changed);

  return (
    <>
      <p>Everything that uses {from} moves to another key. The check comes first, and changes nothing.</p>
      <form onSubmit={submit} onInput={() => setChecked(undefined)}>
        <label class="field">
          <span>To the key</span>
          <input name="to" placeholder="vault/key" required pattern="[^\/]+\/[^\/]+" autocomplete="off" />
        </label>
        <Why />
        <button type="submit" disabled={check.isRunning}>
          {check.isRunning ? 'Checking …' : 'Check what would move'}
        </button>
      </form>
      <Refused call={check} />
      {checked && check.answer && (
        <>
          <p class="strong" role="status">
            {count(check.answer.accounts, 'account')} would move to {checked.to}.
          </p>
          <ul>
            {check.answer.problems.map(({ reason, detail, fix }) => (
              <li key={`${reason}${detail}`}>
                <Prose text={`${detail} ${fix}`} />
              </li>
            ))}
            {check.answer.warnings.map((warning) => (
              <li key={warning}>
                <Prose text={warning} />
              </li>
            ))}
          </ul>
          {check.answer.problems.length === 0 && (
            <button type="button" class="primary" disabled={start.isRunning} onClick={begin}>
              {start.isRunning ? 'Starting …' : `Re-key ${from} to ${checked.to}`}
            </button>
          )}
          <Refused call={start} />
        </>
      )}
    </>
  );
}
