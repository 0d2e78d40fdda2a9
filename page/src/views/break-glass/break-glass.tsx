import { count, digits } from '../../../../src/keys/short-names.ts';
import type { AuditRecordView, KeyList, KeyStatusResponse, RestoreResponse, RevokeResponse } from '../../api/types.ts';
import { usePoll, WHOLE_LIST } from '../../api/use-poll.ts';
import { usersOf } from '../../names.ts';
import { has, usePerson } from '../../person.ts';
import { href } from '../../route.ts';
import { Heading } from '../../ui/heading.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Prose } from '../../ui/prose.tsx';
import { Section } from '../../ui/section.tsx';
import { KeyStateBadge, worstFirst } from '../key-state.tsx';
import { RevocationLine, useRevokeRecords } from '../revocation-line.tsx';
import { UnreadVaults } from '../unread-vaults.tsx';
import { Another, Answers } from './answers.tsx';
import { Effect } from './effect.tsx';
import { RefusedAfter } from './refused-after.tsx';
import { RestoreAnswered } from './restore.tsx';
import { Restore } from './restore-form.tsx';
import { RestoreScope } from './restore-scope.tsx';
import { Revoked } from './revoke.tsx';
import { Revoke } from './revoke-form.tsx';
import { useCall } from './use-call.ts';
import { VersionTable } from './versions.tsx';

interface BreakGlassProps {
  readonly vault: string | undefined;
  readonly name: string | undefined;
}

/** Revokes a key, which cuts off all data behind it, and restores it. */
export function BreakGlassView({ vault, name }: BreakGlassProps) {
  return vault && name ? <OneKey vault={vault} name={name} /> : <ChooseKey />;
}

function ChooseKey() {
  const keys = usePoll<KeyList>('/keys', 15_000, WHOLE_LIST);
  const records = useRevokeRecords(keys.data?.value.some(({ revocation }) => revocation) === true);

  const choose = (event: Event) => {
    event.preventDefault();
    const typed = new FormData(event.currentTarget as HTMLFormElement).get('key');
    const [vault = '', key = ''] = String(typed).trim().split('/');
    if (vault && key) location.hash = href(['break-glass', vault, key]);
  };

  return (
    <>
      <Heading>Break-glass</Heading>
      <p>
        Revoking a key disables every version of it, which cuts off the data that it encrypts; a second person can
        restore it. Nothing is done before you confirm it.
      </p>
      <Section title="Choose a key" of={keys}>
        <ul class="items">
          {worstFirst(keys.data?.value ?? []).map((key) => (
            <li key={key.key}>
              <div class="row">
                <a class="button" href={href(['break-glass', key.vault, key.name])}>
                  {key.vault}/{key.name}
                </a>
                <KeyStateBadge state={key.state} />
                <span class="muted">{key.users ? usersOf(key.users) : 'Who uses it is not known yet'}</span>
              </div>
              <RevocationLine revocation={key.revocation} records={records} />
            </li>
          ))}
        </ul>
        {keys.data && <UnreadVaults of={keys.data} />}
        <form onSubmit={choose}>
          <label class="field">
            <span>Or name it</span>
            <input name="key" placeholder="vault/key" required pattern="[^\/]+\/[^\/]+" autocomplete="off" />
            <small>As vault/key. It needs no list, and works when the vaults cannot be listed.</small>
          </label>
          <button type="submit">Go to the key</button>
        </form>
      </Section>
    </>
  );
}

function OneKey({ vault, name }: { readonly vault: string; readonly name: string }) {
  const me = usePerson();
  const path = `/keys/${encodeURIComponent(vault)}/${encodeURIComponent(name)}`;
  const status = usePoll<KeyStatusResponse>(path, 3_000);

  // Kept here, so that an answer stays although it changes the state of the key.
  const revoke = useCall<RevokeResponse>();
  const restore = useCall<RestoreResponse>();
  const { data } = status;
  const revocation = data?.revocation;
  const mayRead = has(me, 'CmkKey.Read');
  const about = { vault, name, changed: status.refresh };
  const records = useRevokeRecords(revocation !== undefined, `${vault}/${name}`);

  return (
    <>
      <Heading>{`Break-glass: ${vault}/${name}`}</Heading>
      <p class="row">
        <a href={href(['break-glass'])}>Another key</a>
        <a href={href(['keys', vault, name])}>About this key</a>
      </p>
      {data && revocation && <Standing data={data} records={records} label={`${vault}/${name}`} />}
      <Answers
        revoke={revoke}
        restore={restore}
        status={status}
        isRevoked={revocation !== undefined}
        revoked={(answer, isUndone) => <Revoked answer={answer} isUndone={isUndone} />}
        restored={(answer, isUndone) => <RestoreAnswered answer={answer} isUndone={isUndone} />}
      />
      {revocation && (
        <Section title="Restore">
          {data && <RestoreScope status={data} />}
          <Another than={revocation.id} own={revoke.answer?.revocation?.id} />
          {/* A new form for a new revocation, since the typed text was about the previous one. */}
          <Restore {...about} key={revocation.id} call={restore} revocation={revocation} />
        </Section>
      )}
      {/* The same element before and after, so that the typed text stays and can be sent again. */}
      <Section title={revocation ? 'Revoke it again' : 'Revoke'}>
        <Revoke
          {...about}
          isRevoked={revocation !== undefined}
          isKnown={data !== undefined || status.problem !== undefined}
          call={revoke}
        />
      </Section>
      {(revocation || (data && data.effect.length > 0)) && <Effect status={data} of={status} />}
      {data && <RefusedAfter last={data.refusedAfter} />}
      {mayRead && (
        <Section
          title="Versions"
          of={status}
          // The dry run says the same.
          isQuiet={status.problem?.reason === 'KeyNotManaged' && has(me, 'CmkKey.Revoke')}
        >
          {data && <VersionTable versions={data.versions} newestUsable={data.newestUsable} />}
        </Section>
      )}
      {data?.warnings.map((warning) => (
        <div key={warning} class="notice tone-warn">
          <Icon tone="warn" />
          <p>
            <Prose text={warning} />
          </p>
        </div>
      ))}
    </>
  );
}

interface StandingProps {
  readonly data: KeyStatusResponse;
  readonly records: readonly AuditRecordView[] | undefined;
  readonly label: string;
}

/** The state of a revocation by the versions, since its record may exist before all of them are disabled. */
function Standing({ data, records, label }: StandingProps) {
  const { revocation, versions } = data;
  const open = versions.filter(({ state }) => state !== 'Disabled').length;
  const words =
    open === 0
      ? `${label} is revoked: every version of it is disabled.`
      : `${label} is ${revocation?.restoringBy ? 'being restored' : 'not revoked yet'}: ${digits(open)} of ${count(versions.length, 'version')} ${open === 1 ? 'is' : 'are'} enabled.`;

  return (
    <div class="headline tone-bad">
      <Icon tone="bad" />
      <div>
        {/* Without the line below: a screen reader would read out its changing age every few seconds. */}
        <p role="status">{words}</p>
        <RevocationLine revocation={revocation} records={records} />
        {revocation && (
          <small>
            Id <span class="mono">{revocation.id}</span>
          </small>
        )}
      </div>
    </div>
  );
}
