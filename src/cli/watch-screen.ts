import type { Sink } from './output.ts';

interface Watched<R> {
  /** Reads once, and writes the output to `out` instead of stdout. */
  readonly once: (out: Sink) => Promise<R>;
  readonly isOver: (result: R) => boolean;
  readonly sleep: (ms: number) => Promise<void>;
  readonly out: Sink;
  readonly err: Sink;
}

/**
 * Repeats a read at an interval in seconds. A terminal is redrawn; a pipe gets only changed lines. After the first
 * read, errors are shown and do not end it.
 */
export async function watchScreen<R>(seconds: number, { once, isOver, sleep, out, err }: Watched<R>): Promise<void> {
  let before: ReadonlySet<string> | undefined;
  for (;;) {
    let text = '';
    const screen = { write: (more: string) => (text += more), isTTY: out.isTTY, columns: out.columns };
    let result: R | undefined;
    try {
      result = await once(screen);
    } catch (error) {
      if (before === undefined) throw error;
      const { explain } = await import('./explain.ts');
      err.write(`${new Date().toISOString()} ${explain(error).message}\n`);
    }
    if (result !== undefined) {
      const lines = text.split('\n').slice(0, -1);
      // Redraws from the top, and erases the rest of the previous screen.
      if (out.isTTY) out.write(`\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
      else for (const line of lines) if (!before?.has(line)) out.write(`${line}\n`);
      before = new Set(lines);
      if (isOver(result)) return;
    }
    await sleep(seconds * 1_000);
  }
}
