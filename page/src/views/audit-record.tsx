import type { AuditRecordWhole } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { inWords } from '../names.ts';
import { href } from '../route.ts';
import { Badge } from '../ui/badge.tsx';
import { Heading } from '../ui/heading.tsx';
import { Facts, Section } from '../ui/section.tsx';
import { Time } from '../ui/time.tsx';
import { Resource } from './cause.tsx';

/** One record whole, with its place in the chain. */
export function AuditRecordView({ id }: { readonly id: string }) {
  const record = usePoll<AuditRecordWhole>(`/audit/${encodeURIComponent(id)}`, 60_000);
  const { data } = record;
  const entry = data?.entry;
  return (
    <>
      <Heading>{`Record ${data?.seq ?? id}`}</Heading>
      <p>
        <a href={href(['audit'])}>The audit trail</a>
      </p>
      <Section title="What happened" of={record}>
        {data && (
          <Facts
            items={[
              ['When', <Time at={data.time} />],
              entry && ['What', entry.action],
              entry && ['Outcome', inWords(entry.reason)],
              entry && ['About', <Resource id={entry.resource} />],
              ['By', entry?.caller ? (entry.caller.name ?? entry.caller.objectId) : 'the app'],
              textOf(entry?.details?.why, 'Why'),
              textOf(entry?.details?.ticket, 'Ticket'),
              entry?.correlationId ? ['Correlation id', entry.correlationId] : undefined,
            ]}
          />
        )}
        {entry && <Json label="The record" text={JSON.stringify(entry, null, 2)} />}
      </Section>
      {data && (
        <Section title="Its place in the chain">
          <p class="row">
            <Badge tone={data.chain.holds ? 'good' : 'bad'}>{data.chain.holds ? 'Holds' : 'Does not hold'}</Badge>
            <span>
              {data.chain.holds
                ? 'It is as it was written, carries the hash of the one before, and the one after carries its own.'
                : 'It was changed, or one beside it was.'}
            </span>
          </p>
          <Facts
            items={[
              ['File', data.file],
              data.chain.before && ['Before', <Neighbour seq={data.chain.before.seq} />],
              data.chain.after && ['After', <Neighbour seq={data.chain.after.seq} />],
            ]}
          />
          <details>
            <summary>The exact line of the file, to recompute its hash</summary>
            <Json label="The line" text={data.line} />
          </details>
        </Section>
      )}
    </>
  );
}

const textOf = (value: unknown, name: string) => (typeof value === 'string' ? ([name, value] as const) : undefined);

function Neighbour({ seq }: { readonly seq: number }) {
  return <a href={href(['audit', String(seq)])}>Record {seq}</a>;
}

function Json({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys
    <section class="record" tabIndex={0} aria-label={label}>
      <code>{text}</code>
    </section>
  );
}
