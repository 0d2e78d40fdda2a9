import { Journal } from '../../src/audit/journal.ts';
import type { Operation } from '../../src/cli/procedures/operator-azure.ts';
import { explain } from '../../src/cli/terminal/explain.ts';
import { waitUnlessInterrupted } from '../../src/cli/terminal/interruption.ts';
import type { Output } from '../../src/cli/terminal/output.ts';

/** One step of a run: a change or a read, with what proves it. */
export interface Row {
  readonly step: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** What Azure answered, or why the step failed. */
  readonly saw: string;
  /** Behaviour that the local Azure does not have, one sentence each. */
  readonly differs: readonly string[];
}

/** What a step notes while it runs. */
export interface Notes {
  /** Notes behaviour that the local Azure does not have. `setting` is its setting for that behaviour. */
  differs(setting: string, saw: string): void;
  /** Runs a part whose waits show a delay that the local Azure does not have. */
  timed<T>(setting: string, what: string, work: () => Promise<T>): Promise<T>;
}

/** The run cannot go on without the step that failed. */
export class ProofStopped extends Error {
  override readonly name = 'ProofStopped';
}

/** Runs steps one after another, times them, and keeps their rows. */
export class Proof {
  readonly rows: Row[] = [];
  readonly operation: Operation;
  readonly #output: Output;
  readonly #signal: AbortSignal;
  /** Time that the operator has waited for Azure between calls, in milliseconds. */
  #waitedMs = 0;

  /** @param signal ends the waits of a step, and starts no other one; a call to Azure that has begun is awaited */
  constructor({ azure, environment }: Omit<Operation, 'journal'>, output: Output, signal: AbortSignal) {
    this.#output = output;
    this.#signal = signal;

    const journal = new Journal({
      show: (entry) => {
        if (entry.kind === 'waiting') output.entry(entry);
      },
    });
    const pause = async (ms: number): Promise<void> => {
      this.#waitedMs += ms;
      await waitUnlessInterrupted(azure.sleep(ms), signal);
    };

    this.operation = { azure: { ...azure, sleep: pause }, journal, ...(environment ? { environment } : {}) };
  }

  /**
   * Runs a step on which the others depend.
   *
   * @param work returns what Azure answered, and a value for later steps
   * @throws {@link ProofStopped} if it fails; the reason of the signal if that has aborted
   */
  async require<T>(
    step: string,
    work: (notes: Notes) => Promise<{ readonly saw: string; readonly value: T }>,
  ): Promise<T> {
    let value: T | undefined;
    let isDone = false;
    await this.check(step, async (notes) => {
      const result = await work(notes);
      value = result.value;
      isDone = true;
      return result.saw;
    });
    if (!isDone) throw new ProofStopped(`Stopped after: ${step}`);
    return value as T;
  }

  /**
   * Runs a step that may fail without an effect on the others.
   *
   * @param work returns what Azure answered
   * @throws the reason of the signal if that has aborted
   */
  async check(step: string, work: (notes: Notes) => Promise<string>): Promise<void> {
    this.#signal.throwIfAborted();

    const { azure, journal } = this.operation;
    const startedMs = azure.now().getTime();
    const differs: string[] = [];
    const add = (passed: boolean, saw: string): void => {
      const seconds = (azure.now().getTime() - startedMs) / 1_000;
      this.rows.push({ step, passed, seconds, saw, differs });
      this.#output.entry({ kind: passed ? 'found' : 'note', text: `${step}: ${saw}` });
    };

    journal.waiting(step);

    try {
      add(true, await work(this.#createNotes(differs)));
    } catch (error) {
      this.#signal.throwIfAborted();
      const { reason, message, nextStep } = explain(error);
      add(false, `${reason}: ${message} ${nextStep}`);
    }
  }

  #createNotes(differs: string[]): Notes {
    return {
      differs: (setting, saw) => {
        differs.push(`${setting}: ${saw}`);
      },
      timed: async (setting, what, work) => {
        const before = this.#waitedMs;
        const result = await work();
        const waited = (this.#waitedMs - before) / 1_000;
        if (waited > 0) differs.push(`${setting}: ${what} after ${waited.toFixed(0)} s, there at once`);
        return result;
      },
    };
  }
}
