import { getGivenText } from '../../../src/audit/given-text.ts';
import { inWords } from '../../../src/keys/short-names.ts';
import type { AuditRecordWhole } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { href } from '../route.ts';
import { Badge } from '../ui/badge.tsx';
import { Heading } from '../ui/heading.tsx';
import { Facts, Section } from '../ui/section.tsx';
import { Time } from '../ui/time.tsx';
import { Resource } from './cause.tsx';

/** All fields of a record. */
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
              textOf(entry && getGivenText(entry, 'why'), 'Why'),
              textOf(entry && getGivenText(entry, 'ticket'), 'Ticket'),
              textOf(entry?.details?.foundIn, 'Derived later from'),
              entry?.correlationId ? ['Correlation id', entry.correlationId] : undefined,
            ]}
          />
        )}
        {entry && <Json label="The record" text={JSON.stringify(entry, null, 2)} />}
      </Section>
      {data && (
        <Section title="In the chain">
          <p class="row">
            <Badge tone={data.intact ? 'good' : 'bad'}>{data.intact ? 'Intact' : 'Changed afterwards'}</Badge>
            <span>cmk audit verify checks the whole chain.</span>
          </p>
          <Facts
            items={[
              ['File', data.file],
              data.seq > 1 ? ['Before', <Neighbour seq={data.seq - 1} />] : undefined,
              ['After', <Neighbour seq={data.seq + 1} />],
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
