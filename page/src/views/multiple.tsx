interface Point {
  readonly day: string;
  /** Undefined: nothing is known of the day. */
  readonly value: number | undefined;
}

interface MultipleProps {
  readonly title: string;
  readonly points: readonly Point[];
  readonly word: (value: number) => string;
}

const HEIGHT = 60;
const WIDTH = 10;

/** A figure over days: bars to look at, and a table that says the same. */
export function Multiple({ title, points, word }: MultipleProps) {
  const known = points.flatMap(({ day, value }) => (value === undefined ? [] : [{ day, value }]));
  const most = Math.max(0, ...known.map(({ value }) => value));
  const latest = known.at(-1);
  return (
    <figure class="multiple">
      <figcaption>{title}</figcaption>
      <div class="latest">{latest ? word(latest.value) : '–'}</div>
      <svg
        class="chart"
        viewBox={`0 0 ${points.length * WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        focusable="false"
      >
        {points.map(({ day, value }, index) => {
          const height = value === undefined || most === 0 ? 0 : Math.max((value / most) * HEIGHT, value > 0 ? 1.5 : 0);
          return (
            <rect key={day} class="fill" x={index * WIDTH + 1} y={HEIGHT - height} width={WIDTH - 2} height={height} />
          );
        })}
        <line class="base" x1="0" x2={points.length * WIDTH} y1={HEIGHT} y2={HEIGHT} />
      </svg>
      <div class="ends">
        <span>{points[0]?.day}</span>
        <span>{known.length > 0 ? `at most ${word(most)}` : 'nothing known'}</span>
        <span>{points.at(-1)?.day}</span>
      </div>
      {known.length > 0 && (
        <details>
          <summary>In figures</summary>
          <table>
            <caption class="hidden">{title}</caption>
            <thead>
              <tr>
                <th scope="col">Day</th>
                <th scope="col">{title}</th>
              </tr>
            </thead>
            <tbody>
              {known.map(({ day, value }) => (
                <tr key={day}>
                  <th scope="row">{day}</th>
                  <td>{word(value)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </figure>
  );
}
