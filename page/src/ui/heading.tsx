import { useEffect, useRef } from 'preact/hooks';

/** The heading of a view: names the document, and takes the focus when the view comes on. */
export function Heading({ children }: { readonly children: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${children} · cmk-autopilot`;
    // At the start of the page the focus stays where a browser puts it.
    if (document.activeElement && document.activeElement !== document.body) heading.current?.focus();
  }, [children]);

  return (
    <h1 ref={heading} tabIndex={-1}>
      {/* A name moves to the next line whole, where it fits. */}
      {children.split(/(?<= )/).map((word) => (
        <span key={word}>{word}</span>
      ))}
    </h1>
  );
}
