import { type CallLimits, LIMITS } from '../azure/limits.ts';
import type { Sink } from './output.ts';

/** Limits of the command line's calls: what is waited for is said, of several calls that wait at once by the first. */
export function patience(err: Sink): CallLimits {
  let toldUntilMs = 0;
  return {
    ...LIMITS.commandLine,
    onWait(ms) {
      const nowMs = performance.now();
      if (nowMs < toldUntilMs) return;
      toldUntilMs = nowMs + ms;
      // In a terminal the line that is waited in has no end yet.
      err.write(`${err.isTTY ? '\n' : ''}Azure is throttling: waiting for ${Math.ceil(ms / 1_000)} s\n`);
    },
  };
}
