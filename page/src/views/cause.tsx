import { count, digits, keyLabel, keyNames, resourceLabel, withNames } from '../../../src/keys/short-names.ts';
import {
  describeCause,
  describeEffect,
  describeNextStep,
  listAccounts,
  splitSentences,
} from '../../../src/status/cause-sentence.ts';
import type { DriftCause } from '../api/types.ts';
import { has, usePerson } from '../person.ts';
import { href } from '../route.ts';
import { Badge } from '../ui/badge.tsx';
import { Command } from '../ui/copy.tsx';
import { Prose } from '../ui/prose.tsx';
import { Since } from '../ui/time.tsx';
import { Release } from './acts/release.tsx';
import { Rotate } from './acts/rotate.tsx';

const SEVERITY = {
  error: ['bad', 'Error'],
  warning: ['warn', 'Warning'],
  advice: ['info', 'Recommendation'],
} as const;

/** A cause: what is wrong in one sentence, the next step and its command. A button shows the rest. */
export function CauseItem({ cause, isServing, changed }: CauseItemProps) {
  const [tone, word] = SEVERITY[cause.severity];
  const [, ...more] = splitSentences(cause.fix);
  const effect = describeEffect(cause, isServing);

  return (
    <li>
      <div class="row">
        <Badge tone={tone}>{word}</Badge>
        <h3>{describeCause(cause)}</h3>
      </div>
      {/* The sentence has the name if there is only one. */}
      {(cause.accounts > 1 || effect) && <Affects cause={cause} effect={effect} />}
      {cause.changedBy && (
        <p>
          <Changed by={cause.changedBy} word={CHANGED_WORDS[cause.reason]} />
        </p>
      )}
      <p>
        <span class="label">Next step</span> <Prose text={withNames(describeNextStep(cause))} />
      </p>
      <Remedy cause={cause} changed={changed} />
      {cause.moreCommands > 0 && <p class="muted">{count(cause.moreCommands, 'more command')} in the report.</p>}
      <p class="muted small-text">
        Since <Since at={cause.since} />
        {/* If the app can fix all, the next step says so. */}
        {cause.canFix > 0 && cause.canFix < cause.findings
          ? `. The app can fix ${digits(cause.canFix)} of ${digits(cause.findings)}.`
          : ''}
      </p>
      <details>
        <summary>
          Details<span class="hidden"> of {describeCause(cause)}</span>
        </summary>
        <p>
          <Prose text={cause.is} />
        </p>
        <p>
          <span class="label">Should be</span> <Prose text={cause.shouldBe} />
        </p>
        {more.length > 0 && (
          <p>
            <span class="label">Beside the next step</span> <Prose text={withNames(more.join(' '))} />
          </p>
        )}
        <ul>
          {cause.sample.map((resource) => (
            <li key={resource}>
              <Resource id={resource} /> <small class="mono">{resource}</small>
            </li>
          ))}
          {cause.affected > cause.sample.length && (
            <li>
              <a href={href(['fleet'], { cause: cause.id })}>
                … and {digits(cause.affected - cause.sample.length)} more
              </a>
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
            {cause.changedBy.confirmed ? '' : '. Reported by the event, not confirmed by the activity log yet.'}
          </p>
        )}
      </details>
    </li>
  );
}

interface RemedyProps {
  readonly cause: DriftCause;
  readonly changed: () => void;
}

interface CauseItemProps extends RemedyProps {
  readonly isServing: boolean;
}

/** What the latest change did, by the reason of the cause that it led to. */
const CHANGED_WORDS: Readonly<Record<string, string>> = { ContestedChange: 'Last set back' };

/** What an operator can do here, or else the commands. */
function Remedy({ cause: { reason, about, sample, commands }, changed }: RemedyProps) {
  const [account] = sample;
  const [command = ''] = commands;

  if (has(usePerson(), 'Cmk.Operate')) {
    if (reason === 'ContestedChange' && account) return <Release account={account} changed={changed} />;
    const isRotation = commands.length === 1 && /^cmk key rotate \S+$/.test(command);
    if (isRotation && keyNames(about[0] ?? '')) return <Rotate label={keyLabel(about[0] ?? '')} changed={changed} />;
  }

  return (
    <>
      {commands.map((text) => (
        <Command key={text} text={text} />
      ))}
    </>
  );
}

/** Maximum number of accounts with names. */
const MOST_NAMED = 3;

interface AffectsProps {
  readonly cause: DriftCause;
  /** The effect on data. */
  readonly effect?: string;
}

/** The first accounts that a cause affects, or else the resource that it is about. */
export function Affects({ cause, effect }: AffectsProps) {
  const accounts = listAccounts(cause.sample).slice(0, MOST_NAMED);
  const named = accounts.length === 0 && effect ? cause.about.slice(0, 1) : accounts;
  const more = accounts.length > 0 ? cause.accounts - accounts.length : 0;

  if (named.length === 0) return null;

  return (
    <p>
      <span class="label">Affects</span>{' '}
      {named.map((id, index) => (
        <span key={id}>
          {index > 0 && ', '}
          <Resource id={id} />
        </span>
      ))}
      {more > 0 && (
        <>
          {' '}
          and <a href={href(['fleet'], { cause: cause.id })}>{digits(more)} more</a>
        </>
      )}
      {effect && `. ${effect}`}
    </p>
  );
}

interface ChangedProps {
  readonly by: NonNullable<DriftCause['changedBy']>;
  readonly word?: string | undefined;
}

/** Who made the change that a finding comes from, by name if the event has one. */
export function Changed({ by, word }: ChangedProps) {
  const { on, operation, confirmed } = by;
  return (
    <>
      {word ?? (/roleAssignments\/delete$/i.test(operation) ? 'Role removed' : 'Changed')} by {callerName(by)},{' '}
      <Since at={on} />
      {confirmed ? '' : ' (unconfirmed)'}
    </>
  );
}

function callerName({ name, objectId, client }: ChangedProps['by']): string {
  if (name !== undefined) return name;
  if (objectId) return `object id ${objectId}`;
  return client ? `application ${client}` : 'an unknown caller';
}

/** The name of a resource, with a link if it has a view. */
export function Resource({ id }: { readonly id: string }) {
  const key = keyNames(id);
  if (key) return <a href={href(['keys', key.vault, key.key])}>{`${key.vault}/${key.key}`}</a>;
  const account = /\/storageAccounts\/([^/]+)/i.exec(id)?.[1];
  if (account) return <a href={href(['fleet', account])}>{resourceLabel(id)}</a>;
  return <span title={id}>{resourceLabel(id)}</span>;
}
