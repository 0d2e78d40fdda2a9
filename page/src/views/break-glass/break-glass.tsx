import type { ApprovalList, KeyList, KeyStatusResponse } from '../../api/types.ts';
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
import { Restore } from './restore.tsx';
import { Revoke } from './revoke.tsx';
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
  const keys = usePoll<KeyList>('/keys', 15_000);
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
  const { data } = status;
  const key = `${vault}/${name}`;
  const revocation = data?.revocation;
  const mayRead = has(me, 'CmkKey.Read');
  return (
    <>
      <Heading>{`Break-glass: ${key}`}</Heading>
      <p>
        <a href={href(['break-glass'])}>Another key</a>
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
      {(revocation || (data && data.effect.length > 0)) && <Effect status={data} of={status} />}
      {!revocation && <Revoke vault={vault} name={name} changed={status.refresh} />}
      {revocation && <Restore vault={vault} name={name} revocation={revocation} changed={status.refresh} />}
      {revocation && <RevokeAgain vault={vault} name={name} changed={status.refresh} />}
      <Approvals of={approvals} vault={vault} name={name} changed={status.refresh} />
    </>
  );
}

/** A version that somebody enabled by hand is disabled again by a second revocation; it joins the first. */
function RevokeAgain(props: { readonly vault: string; readonly name: string; readonly changed: () => void }) {
  return (
    <details class="section">
      <summary>Revoke it once more</summary>
      <p>For a version that somebody has enabled by hand, or when the first answer said that it was not complete.</p>
      <Revoke {...props} />
    </details>
  );
}
