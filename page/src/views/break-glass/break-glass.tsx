import type { ApprovalList, KeyList, KeyStatusResponse, RevokeResponse } from '../../api/types.ts';
import { usePoll } from '../../api/use-poll.ts';
import { has, usePerson } from '../../person.ts';
import { href } from '../../route.ts';
import { Heading } from '../../ui/heading.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Section } from '../../ui/section.tsx';
import { KeyStateBadge } from '../key-state.tsx';
import { RevocationLine } from '../revocation-line.tsx';
import { Approvals } from './approvals.tsx';
import { Effect } from './effect.tsx';
import { Restore, type RestoreAnswer, RestoreAnswered } from './restore.tsx';
import { Revoke, Revoked } from './revoke.tsx';
import { useCall } from './use-call.ts';
import { Versions } from './versions.tsx';

interface BreakGlassProps {
  readonly vault: string | undefined;
  readonly name: string | undefined;
}

/** Cutting off all data behind a key, and giving it back. */
export function BreakGlassView({ vault, name }: BreakGlassProps) {
  return vault && name ? <OneKey vault={vault} name={name} /> : <ChooseKey />;
}

function ChooseKey() {
  const keys = usePoll<KeyList>('/keys', 15_000, true);
  const approvals = usePoll<ApprovalList>('/approvals', 10_000);
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
        Revoking a key disables every version of it: within minutes nobody can read the data that it encrypts. It can be
        given back by somebody else. First choose the key; nothing is done before you confirm it.
      </p>
      <Section title="Choose a key" of={keys}>
        <ul class="items">
          {(keys.data?.value ?? []).map((key) => (
            <li key={key.key}>
              <div class="row">
                <a class="button" href={href(['break-glass', key.vault, key.name])}>
                  {key.vault}/{key.name}
                </a>
                <KeyStateBadge state={key.state} />
                {key.users && (
                  <span class="muted">
                    {key.users.accounts} accounts{key.users.scopes > 0 ? `, ${key.users.scopes} scopes` : ''}
                  </span>
                )}
              </div>
              <RevocationLine revocation={key.revocation} />
            </li>
          ))}
        </ul>
        <form onSubmit={choose}>
          <label class="field">
            <span>Or name it</span>
            <input name="key" placeholder="vault/key" required pattern="[^\/]+\/[^\/]+" autocomplete="off" />
            <small>As vault/key. It needs no list, and works when the vaults cannot be listed.</small>
          </label>
          <button type="submit">Go to the key</button>
        </form>
      </Section>
      <Approvals of={approvals} />
    </>
  );
}

function OneKey({ vault, name }: { readonly vault: string; readonly name: string }) {
  const me = usePerson();
  const path = `/keys/${encodeURIComponent(vault)}/${encodeURIComponent(name)}`;
  const status = usePoll<KeyStatusResponse>(path, 3_000);
  const approvals = usePoll<ApprovalList>('/approvals', 10_000);
  // Here, so that an answer stays when the state of the key has changed by it.
  const revoke = useCall<RevokeResponse>();
  const restore = useCall<RestoreAnswer>();
  const { data } = status;
  const key = `${vault}/${name}`;
  const revocation = data?.revocation;
  const mayRead = has(me, 'CmkKey.Read');
  const about = { vault, name, changed: status.refresh };
  return (
    <>
      <Heading>{`Break-glass: ${key}`}</Heading>
      <p class="row">
        <a href={href(['break-glass'])}>Another key</a>
        <a href={href(['keys', vault, name])}>About this key</a>
      </p>
      {revocation && (
        <div class="headline tone-bad" role="status">
          <Icon tone="bad" />
          <div>
            <p>{key} is revoked: all data behind it is out of reach.</p>
            <RevocationLine revocation={revocation} />
          </div>
        </div>
      )}
      {revoke.answer && <Revoked answer={revoke.answer} />}
      {restore.answer && <RestoreAnswered answer={restore.answer} />}
      {revocation ? (
        <Section title="Restore">
          <Restore {...about} call={restore} revocation={revocation} />
        </Section>
      ) : (
        <Section title="Revoke">
          <Revoke {...about} call={revoke} />
        </Section>
      )}
      {(revocation || (data && data.effect.length > 0)) && <Effect status={data} of={status} />}
      {mayRead && (
        <Section title="Versions" of={status}>
          {data && <Versions versions={data.versions} newestUsable={data.newestUsable} />}
        </Section>
      )}
      {data?.warnings.map((warning) => (
        <div key={warning} class="notice tone-warn">
          <Icon tone="warn" />
          <p>{warning}</p>
        </div>
      ))}
      {revocation && (
        <details class="section">
          <summary>Revoke it once more</summary>
          <p>
            For a version that somebody has enabled by hand, or when the first answer said that it was not complete.
          </p>
          <Revoke {...about} call={revoke} />
        </details>
      )}
      <Approvals of={approvals} {...about} />
    </>
  );
}
