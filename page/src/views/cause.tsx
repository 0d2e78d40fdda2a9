import type { DriftCause } from '../api/types.ts';
import { useApi } from '../api/use-poll.ts';
import { count, keyNames, resourceLabel, withNames } from '../names.ts';
import { has, usePerson } from '../person.ts';
import { href } from '../route.ts';
import { Badge } from '../ui/badge.tsx';
import { Command } from '../ui/copy.tsx';
import { Prose } from '../ui/prose.tsx';
import { Since } from '../ui/time.tsx';
import { Refused } from './break-glass/answer.tsx';
import { useCall } from './break-glass/use-call.ts';
import { Why, whyOf } from './break-glass/why.tsx';
import { causeSentence } from './cause-sentence.ts';

const SEVERITY = {
  error: ['bad', 'Error'],
  warning: ['warn', 'Warning'],
  advice: ['info', 'Advice'],
} as const;

/** One cause: what is wrong in one sentence, the next step and its command; the rest behind a button. */
export function CauseItem({ cause, changed }: { readonly cause: DriftCause; readonly changed: () => void }) {
  const [tone, word] = SEVERITY[cause.severity];
  return (
    <li>
      <div class="row">
        <Badge tone={tone}>{word}</Badge>
        <h3>{causeSentence(cause)}</h3>
      </div>
      <p>
        <span class="label">Next step</span> <Prose text={withNames(cause.fix)} />
      </p>
      {cause.commands.map((command) => (
        <Command key={command} text={command} />
      ))}
      {cause.moreCommands > 0 && <p class="muted">{count(cause.moreCommands, 'more command')} in the drift report.</p>}
      {cause.reason === 'ContestedChange' && cause.sample[0] && <Release account={cause.sample[0]} changed={changed} />}
      <p class="muted small-text">
        Since <Since at={cause.since} />
        {cause.changedBy && (
          <>
            . <Changed by={cause.changedBy} />
          </>
        )}
        {cause.canFix > 0 ? `. The app can fix ${cause.canFix} of ${cause.findings}.` : ''}
      </p>
      <details>
        <summary>
          Details<span class="hidden"> of {causeSentence(cause)}</span>
        </summary>
        <p>
          <Prose text={cause.is} />
        </p>
        <p>
          <span class="label">Should be</span> <Prose text={cause.shouldBe} />
        </p>
        <ul>
          {cause.sample.map((resource) => (
            <li key={resource}>
              <Resource id={resource} /> <small class="mono">{resource}</small>
            </li>
          ))}
          {cause.affected > cause.sample.length && (
            <li>
              <a href={href(['fleet'], { cause: cause.id })}>… and {cause.affected - cause.sample.length} more</a>
            </li>
          )}
        </ul>
        <p class="small-text">
          {cause.reason}, about <span class="mono">{cause.about.join(', ') || 'several resources'}</span>
        </p>
        {cause.changedBy && (
          <p class="small-text">
            {cause.changedBy.operation} on <span class="mono">{cause.changedBy.resource}</span> by{' '}
            <span class="mono">{cause.changedBy.objectId ?? 'a caller whom the event does not name'}</span>
            {cause.changedBy.client && `, client ${cause.changedBy.client}`}
            {cause.changedBy.correlationId && `, correlation id ${cause.changedBy.correlationId}`}
          </p>
        )}
      </details>
    </li>
  );
}

/** Who changed what a finding comes from, by name where the event has one. */
export function Changed({ by }: { readonly by: NonNullable<DriftCause['changedBy']> }) {
  const { name, objectId, client, on, confirmed } = by;
  const who = name ?? (objectId ? `object id ${objectId}` : client ? `application ${client}` : 'an unknown caller');
  return (
    <>
      Changed by {who} <Since at={on} />
      {confirmed ? '' : ' (reported by the event, not confirmed by the activity log yet)'}
    </>
  );
}

/** Has the app repair an account again that another party kept changing. */
function Release({ account, changed }: { readonly account: string; readonly changed: () => void }) {
  const api = useApi();
  const me = usePerson();
  const release = useCall<object>();
  if (!has(me, 'Cmk.Operate')) return null;
  const submit = (event: Event) => {
    event.preventDefault();
    const body = { ...whyOf(event.currentTarget as HTMLFormElement), account };
    void release.run(async () => (await api.post<object>('/api/drift/release', body)).body).then(changed);
  };
  return (
    <details>
      <summary>Release {resourceLabel(account)}</summary>
      <form onSubmit={submit}>
        <Why what="release" />
        <button type="submit" disabled={release.isRunning}>
          {release.isRunning ? 'Releasing …' : `Release ${resourceLabel(account)}`}
        </button>
      </form>
      <Refused call={release} />
      {release.answer && <p role="status">Released: the app repairs it with the next check.</p>}
    </details>
  );
}

/** A resource by its name, with a way to it where there is one. */
export function Resource({ id }: { readonly id: string }) {
  const key = keyNames(id);
  if (key) return <a href={href(['keys', key.vault, key.key])}>{`${key.vault}/${key.key}`}</a>;
  const account = /\/storageAccounts\/([^/]+)/i.exec(id)?.[1];
  if (account) return <a href={href(['fleet', account])}>{resourceLabel(id)}</a>;
  return <span title={id}>{resourceLabel(id)}</span>;
}
