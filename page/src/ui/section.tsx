import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import type { Polled } from '../api/use-poll.ts';
import { Freshness, PollProblem } from './freshness.tsx';

interface SectionProps {
  readonly title: string;
  readonly of?: Polled<unknown>;
  /** Whether another section of the view shows the same problem, since one alert is enough. */
  readonly isQuiet?: boolean;
  readonly isPart?: boolean;
  readonly children: ComponentChildren;
}

/** A part of a view with its own heading, age and problem. */
export function Section({ title, of, isQuiet = false, isPart = false, children }: SectionProps) {
  const id = useId();

  return (
    <section class="section" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {of && <Freshness of={of} isPart={isPart} />}
      </header>
      {of && !isQuiet && <PollProblem of={of} />}
      {children}
    </section>
  );
}

/** A list of names and values. */
export function Facts({ items }: { readonly items: readonly (readonly [string, ComponentChildren] | undefined)[] }) {
  return (
    <dl class="facts">
      {items.map(
        (item) =>
          item && (
            <div key={item[0]}>
              <dt>{item[0]}</dt>
              <dd>{item[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
