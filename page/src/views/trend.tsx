import type { Trend } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { TrendPicture } from '../pictures/trend-chart.tsx';
import { TREND_CHARTS } from '../pictures/trend-series.ts';
import { Heading } from '../ui/heading.tsx';
import { Section } from '../ui/section.tsx';

/** The last 30 days, a chart for each question. */
export function TrendView() {
  const trend = usePoll<Trend>('/trend', 300_000);
  const { data } = trend;

  return (
    <>
      <Heading>Trend</Heading>
      <Section title="The last 30 days" of={trend}>
        <p class="muted">Days in UTC, the last one is today. A gap is a day without data.</p>
      </Section>
      {data && (
        <div class="trends">
          {TREND_CHARTS.map((chart) => (
            <TrendPicture key={chart.title} chart={chart} days={data.value} />
          ))}
        </div>
      )}
    </>
  );
}
