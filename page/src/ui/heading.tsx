import { useEffect, useRef } from 'preact/hooks';

/** The heading of a view. It sets the title of the document, and gets the focus when the view opens. */
export function Heading({ children }: { readonly children: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${children} · cmk-autopilot`;
    // At the first view of the page the browser decides the focus.
    if (document.activeElement && document.activeElement !== document.body) heading.current?.focus();
  }, [children]);

  return (
    <h1 ref={heading} tabIndex={-1}>
      {/* A name does not break, if it fits into a line. */}
      {children.split(/(?<= )/).map((word) => (
        <span key={word}>{word}</span>
      ))}
    </h1>
  );
}
