import { Time } from './time.tsx';

const CODE = /`([^`]+)`/;
const MOMENT = /(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z)/;

/** A sentence of the API: `…` marks what the user types, and times are in the browser's zone. */
export function Prose({ text }: { readonly text: string }) {
  return (
    <>
      {text
        .split(CODE)
        .flatMap((part, index) =>
          index % 2 === 1
            ? [<code key={`${index}${part}`}>{part}</code>]
            : part
                .split(MOMENT)
                .map((inner, place) => (place % 2 === 1 ? <Time key={`${index} ${place}`} at={inner} /> : inner)),
        )}
    </>
  );
}
