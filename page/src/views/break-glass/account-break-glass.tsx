import { useState } from 'preact/hooks';
import type {
  AccountRecordView,
  AccountRestoreResponse,
  AccountRevokeResponse,
  AccountStatusResponse,
  AuditRecordView,
  FleetAccount,
} from '../../api/types.ts';
import { type Polled, usePoll } from '../../api/use-poll.ts';
import { keyNames } from '../../names.ts';
import { has, type Names, namesIn, usePerson } from '../../person.ts';
import { href, replaceQuery } from '../../route.ts';
import { Badge } from '../../ui/badge.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Section } from '../../ui/section.tsx';
import { RevocationLine } from '../revocation-line.tsx';
import { AccountPreview, AccountRestored, AccountRevoked } from './account-answers.tsx';
import { Another, Answers } from './answers.tsx';
import { RestoreForm } from './restore-form.tsx';
import { RevokeForm } from './revoke-form.tsx';
import { TakenList } from './taken.tsx';
import { useCall } from './use-call.ts';

/** A revocation below the key; `held` as Azure was asked, absent: as the fleet index has it. */
type Open = AccountRecordView & Partial<Pick<AccountStatusResponse['revocations'][number], 'held'>>;

interface AccountBreakGlassProps {
  readonly name: string;
  /** The encryption scope that is looked at; undefined: the account. */
  readonly scope: string | undefined;
  readonly account: Polled<FleetAccount>;
}

/**
 * Cutting off one account, or one encryption scope of it, and not its key. Whether something is open is told by the fleet
 * index, and by the audit trail as the index is read some seconds behind; Azure is asked once something is, or is being
 * done, or where the index does not tell.
 */
export function AccountBreakGlass({ name, scope, account }: AccountBreakGlassProps) {
  const me = usePerson();
  const { data, problem } = account;
  const records = data?.history.value ?? [];
  const [hasActed, setActed] = useState(false);
  const isUntold = problem !== undefined && problem.status !== 403;
  const isOpen = (data?.revocations.length ?? 0) > 0 || isRevokedLast(records);
  const isWatched = has(me, 'CmkKey.Read') && (hasActed || isUntold || isOpen);
  const status = usePoll<AccountStatusResponse>(isWatched ? `/accounts/${encodeURIComponent(name)}` : undefined, 5_000);
  const open: readonly Open[] = status.data?.revocations ?? data?.revocations ?? [];
  const scopes = scopesOf(data, open, scope);
  // One that has no key of its own is revoked by its scopes alone.
  const hasOwn = data === undefined || data.key !== undefined || open.some((one) => one.scope === undefined);
  if (!hasOwn && scopes.length === 0) return null;
  const chosen = scope ?? (hasOwn ? undefined : scopes[0]);
  const current = open.find((one) => isOf(one, chosen));
  const isChoice = scopes.length > (hasOwn ? 0 : 1);
  const changed = () => {
    setActed(true);
    status.refresh();
  };
  return (
    <>
      {(isChoice || !current) && (
        <Section title="Break-glass, below the key" {...(isWatched ? { of: status } : {})}>
          <Intro of={data} />
          <Others {...{ name, chosen, open }} />
          {isChoice && <Choose {...{ name, scopes, hasOwn, chosen, open }} />}
        </Section>
      )}
      <OnePart
        key={chosen ?? ''}
        {...{ name, changed, status }}
        isQuiet={isChoice}
        scope={chosen}
        open={current}
        names={namesIn(records)}
      />
      {status.data?.unbelieved.map((id) => (
        <Unbelieved key={id} {...{ id, name }} />
      ))}
      {status.data?.warnings.map((warning) => (
        <div key={warning} class="notice tone-warn">
          <Icon tone="warn" />
          <p>{warning}</p>
        </div>
      ))}
    </>
  );
}

/** Whether nothing was restored since something of it was revoked. */
function isRevokedLast(records: readonly AuditRecordView[]): boolean {
  const acts = records.map(({ entry }) => entry.action);
  return acts.find((action) => action === 'account.revoke' || action === 'account.restore') === 'account.revoke';
}

/** What it took away stays away, and no restore goes by it. */
function Unbelieved({ id, name }: { readonly id: string; readonly name: string }) {
  return (
    <div class="notice tone-bad">
      <Icon tone="bad" />
      <div>
        <p>
          Revocation <span class="mono">{id}</span> has a record that this app cannot have written, or not in whole: it
          does not count, and a restore gives nothing back by it.
        </p>
        <p>
          Find out who has written the tags of the account.{' '}
          <a href={href(['audit'], { account: name, action: 'account.revoke' })}>The audit trail</a> has what was taken
          away: give that back by hand, then delete the tags.
        </p>
      </div>
    </div>
  );
}

function Intro({ of }: { readonly of: FleetAccount | undefined }) {
  const key = of?.key ? keyNames(of.key) : undefined;
  return (
    <p>
      One account, or one encryption scope of it, can be cut off by itself: its key, and everybody else on it, go on.{' '}
      {key && (
        <a href={href(['break-glass', key.vault, key.key])}>
          The whole key {key.vault}/{key.key}
        </a>
      )}
    </p>
  );
}

/** What else of the account is revoked by itself than what is looked at. */
function Others({ name, chosen, open }: Pick<ChooseProps, 'name' | 'chosen' | 'open'>) {
  const others = new Map(open.filter((one) => !isOf(one, chosen)).map((one) => [one.scope?.toLowerCase(), one.scope]));
  if (others.size === 0) return null;
  return (
    <p class="row">
      <Badge tone="bad">Revoked</Badge>
      {[...others.values()].map((scope) => (
        <a key={scope ?? ''} href={href(['fleet', name], { scope })}>
          {scope === undefined ? 'The account' : `The encryption scope ${scope}`}
        </a>
      ))}
    </p>
  );
}

interface ChooseProps {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly hasOwn: boolean;
  readonly chosen: string | undefined;
  readonly open: readonly Open[];
}

/** Names of scopes have no blank: the empty value is the account. */
function Choose({ name, scopes, hasOwn, chosen, open }: ChooseProps) {
  const label = (words: string, scope: string | undefined) =>
    open.some((one) => isOf(one, scope)) ? `${words} (revoked)` : words;
  return (
    <label class="field">
      <span>What it is about</span>
      <select
        value={chosen ?? ''}
        onChange={(event) => replaceQuery(['fleet', name], { scope: event.currentTarget.value })}
      >
        {hasOwn && <option value="">{label('The account', undefined)}</option>}
        {scopes.map((scope) => (
          <option key={scope} value={scope}>
            {label(`The encryption scope ${scope}`, scope)}
          </option>
        ))}
      </select>
    </label>
  );
}

interface OnePartProps {
  readonly name: string;
  readonly scope: string | undefined;
  /** The newest revocation of it. */
  readonly open: Open | undefined;
  readonly names: Names;
  readonly status: Polled<AccountStatusResponse>;
  /** Whether the problem of the status is told elsewhere. */
  readonly isQuiet: boolean;
  readonly changed: () => void;
}

function OnePart({ name, scope, open, names, status, isQuiet, changed }: OnePartProps) {
  // Here, so that an answer stays when the state has changed by it.
  const revoke = useCall<AccountRevokeResponse>();
  const restore = useCall<AccountRestoreResponse>();
  const subject = scope === undefined ? name : `${name}/${scope}`;
  const kind = scope === undefined ? 'account' : 'encryption scope';
  const path = `/api/accounts/${encodeURIComponent(name)}`;
  return (
    <>
      {open && <Standing {...{ open, subject, names }} />}
      <Answers
        {...{ revoke, restore, status }}
        isRevoked={open !== undefined}
        revoked={(answer, isUndone) => <AccountRevoked {...{ answer, subject, isUndone }} />}
        restored={(answer, isUndone) => <AccountRestored {...{ answer, subject, isUndone }} />}
      />
      {open && (
        <Section title="Restore" of={status} isQuiet={isQuiet}>
          {/* The index, which is shown until Azure has answered, may still have the one before. */}
          {(status.data ?? status.problem) && <Another than={open.id} own={revoke.answer?.revocation?.id} />}
          <p class="label">Taken away</p>
          <TakenList taken={open.took} nothing="Nothing: it had no access when it was revoked." />
          {/* Another revocation is another form: what was typed was about the one before. */}
          <RestoreForm
            key={open.id}
            {...{ subject, kind, changed }}
            path={`${path}/restore`}
            call={restore}
            revocation={open}
          />
        </Section>
      )}
      <Section title={open ? 'Revoke it once more' : `Revoke this ${kind} by itself`}>
        <RevokeForm
          {...{ subject, changed }}
          path={`${path}/revoke`}
          more={scope === undefined ? NO_SCOPE : { scope }}
          isRevoked={open !== undefined}
          words={WORDS}
          call={revoke}
          preview={(answer) => <AccountPreview answer={answer} />}
        />
      </Section>
    </>
  );
}

const NO_SCOPE = {};
const WORDS = {
  again: 'For access that somebody has given by hand, or when the first answer said that it was not complete.',
  looking: 'Looking at what gives it access …',
  pace: 'It takes seconds; how soon Azure goes by it stands above.',
};

interface StandingProps {
  readonly open: Open;
  readonly subject: string;
  readonly names: Names;
}

/** How a revocation stands: the record is there before anything is taken away. */
function Standing({ open, subject, names }: StandingProps) {
  const words =
    open.held === false
      ? `${subject} is not cut off: its revocation is open, and something gives it access.`
      : `${subject} is revoked by itself${open.held === true ? ': nothing gives it access' : ''}.`;
  return (
    <div class="headline tone-bad">
      <Icon tone="bad" />
      <div>
        <p role="status">{words}</p>
        <RevocationLine revocation={open} names={names} />
      </div>
    </div>
  );
}

/** Those that use a key, that are revoked, or that were asked for. */
function scopesOf(
  account: FleetAccount | undefined,
  open: readonly Open[],
  asked: string | undefined,
): readonly string[] {
  const used = (account?.scopeUses ?? []).flatMap(({ scope, key }) => (key ? [scope] : []));
  const all = [...used, ...open.flatMap(({ scope }) => scope ?? []), ...(asked === undefined ? [] : [asked])];
  return [...new Map(all.map((one) => [one.toLowerCase(), one])).values()].sort();
}

function isOf(one: Open, scope: string | undefined): boolean {
  return one.scope?.toLowerCase() === scope?.toLowerCase();
}
