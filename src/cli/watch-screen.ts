import type { Sink } from './output.ts';

interface Watched<R> {
  /** Reads once, and shows it in the place of stdout. */
  readonly once: (out: Sink) => Promise<R>;
  readonly isOver: (result: R) => boolean;
  readonly sleep: (ms: number) => Promise<void>;
  readonly out: Sink;
  readonly err: Sink;
}

/**
 * Shows something every so many seconds: a terminal is drawn anew, a pipe has the lines that have changed. After the first
 * time a failure is shown, and does not end it.
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
      // From the top, and what is left of the screen before is erased.
      if (out.isTTY) out.write(`\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
      else for (const line of lines) if (!before?.has(line)) out.write(`${line}\n`);
      before = new Set(lines);
      if (isOver(result)) return;
    }
    await sleep(seconds * 1_000);
  }
}
