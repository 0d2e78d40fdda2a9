import type { DriftCause } from '../api/types.ts';
import { count, inWords, keyNames, shortId } from '../names.ts';
import { href } from '../route.ts';
import { Badge } from '../ui/badge.tsx';
import { Command } from '../ui/copy.tsx';
import { Prose } from '../ui/prose.tsx';
import { Since } from '../ui/time.tsx';

const SEVERITY = {
  error: ['bad', 'Error'],
  warning: ['warn', 'Warning'],
  advice: ['info', 'Advice'],
} as const;

/** One cause: what is wrong, with how many it is so, and the command that mends it. */
export function CauseItem({ cause }: { readonly cause: DriftCause }) {
  const [tone, word] = SEVERITY[cause.severity];
  return (
    <li>
      <div class="row">
        <Badge tone={tone}>{word}</Badge>
        <h3>{inWords(cause.reason)}</h3>
        <span class="muted">{count(cause.affected, 'resource')}</span>
      </div>
      <p>
        <Prose text={cause.is} />
      </p>
      <p>
        <span class="label">Mend it</span> <Prose text={cause.fix} />
      </p>
      {cause.commands.map((command) => (
        <Command key={command} text={command} />
      ))}
      {cause.moreCommands > 0 && <p class="muted">{count(cause.moreCommands, 'more command')} in the drift report.</p>}
      <p class="muted small-text">
        Since <Since at={cause.since} />
        {cause.canFix > 0 ? `. The app can fix ${cause.canFix} of ${cause.findings}.` : ''}
      </p>
      {cause.sample.length > 0 && (
        <details>
          <summary>Which</summary>
          <ul>
            {cause.sample.map((resource) => (
              <li key={resource}>
                <Resource id={resource} />
              </li>
            ))}
            {cause.affected > cause.sample.length && (
              <li>
                <a href={href(['fleet'], { cause: cause.id })}>… and {cause.affected - cause.sample.length} more</a>
              </li>
            )}
          </ul>
        </details>
      )}
    </li>
  );
}

/** A resource by its name, with a way to it where there is one. */
export function Resource({ id }: { readonly id: string }) {
  const key = keyNames(id);
  if (key) return <a href={href(['keys', key.vault, key.key])}>{`${key.vault}/${key.key}`}</a>;
  const [, account, scope] = /\/storageAccounts\/([^/]+)(?:\/encryptionScopes\/([^/]+))?/i.exec(id) ?? [];
  if (account) return <a href={href(['fleet', account])}>{scope ? `${account}/${scope}` : account}</a>;
  return <span title={id}>{shortId(id)}</span>;
}
