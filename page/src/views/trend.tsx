import type { Trend, TrendDay } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { Heading } from '../ui/heading.tsx';
import { Section } from '../ui/section.tsx';
import { duration } from '../ui/time.tsx';
import { Multiple } from './multiple.tsx';

const whole = (value: number) => value.toLocaleString('en');

/** The last 30 days, one small picture for each figure. */
export function TrendView() {
  const trend = usePoll<Trend>('/trend', 300_000);
  const days = trend.data?.value ?? [];
  const of = (figure: (day: TrendDay) => number | undefined) =>
    days.map((day) => ({ day: day.day, value: figure(day) }));
  return (
    <>
      <Heading>Trend</Heading>
      <Section title="The last 30 days" of={trend}>
        <p class="muted">Days in UTC, the last one is today. A gap is a day of which nothing is known.</p>
      </Section>
      {trend.data && (
        <div class="multiples">
          <Multiple title="Findings: errors" points={of(({ findings }) => findings?.errors)} word={whole} />
          <Multiple title="Findings: warnings" points={of(({ findings }) => findings?.warnings)} word={whole} />
          <Multiple title="Accounts and scopes behind" points={of(({ findings }) => findings?.behind)} word={whole} />
          <Multiple
            title="From event to last account, half of the rotations"
            points={of(({ events }) => events?.rotations.p50Seconds)}
            word={duration}
          />
          <Multiple
            title="From event to last account, 95 in 100"
            points={of(({ events }) => events?.rotations.p95Seconds)}
            word={duration}
          />
          <Multiple title="Rotations finished" points={of(({ events }) => events?.rotations.finished)} word={whole} />
          <Multiple title="Revocations" points={of(({ events }) => events?.revocations)} word={whole} />
          <Multiple title="Restores" points={of(({ events }) => events?.restores)} word={whole} />
        </div>
      )}
    </>
  );
}
