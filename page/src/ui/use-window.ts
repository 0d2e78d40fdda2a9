import { useEffect, useRef, useState } from 'preact/hooks';

/** The visible rows of a long list, and a few around them. */
interface Window {
  readonly from: number;
  readonly to: number;
  readonly container: { current: HTMLDivElement | null };
  /** Height of a row, in pixels. */
  readonly rowPx: number;
}

const BESIDE = 12;

/** @param rowPx height of every row, which differs on a narrow screen */
export function useWindow(count: number, rowPx: { readonly wide: number; readonly narrow: number }): Window {
  const container = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 800, px: rowPx.wide });
  const { wide, narrow } = rowPx;

  useEffect(() => {
    const element = container.current;
    if (!element) return;

    const isNarrow = matchMedia('(max-width: 44rem)');
    let frame = 0;
    const measure = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() =>
        setView({ top: element.scrollTop, height: element.clientHeight, px: isNarrow.matches ? narrow : wide }),
      );
    };

    measure();
    element.addEventListener('scroll', measure, { passive: true });

    const resized = new ResizeObserver(measure);

    resized.observe(element);

    return () => {
      cancelAnimationFrame(frame);
      element.removeEventListener('scroll', measure);
      resized.disconnect();
    };
  }, [wide, narrow]);

  const first = Math.max(0, Math.floor(Math.min(view.top, count * view.px) / view.px) - BESIDE);
  const last = Math.min(count, Math.ceil((view.top + view.height) / view.px) + BESIDE);

  return { from: Math.min(first, last), to: last, container, rowPx: view.px };
}
