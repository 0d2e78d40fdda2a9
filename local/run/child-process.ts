import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { answer, ask } from '../ipc.ts';
import { moduleBeside } from './module-beside.ts';

const WITH_PARENT = moduleBeside('./with-parent', import.meta.url);
const MOVABLE_CLOCK = moduleBeside('./movable-clock', import.meta.url);
const LAST_LINES = 20;

export interface ChildOptions {
  /** What a person calls it: "Azurite", "the local Azure". */
  readonly name: string;
  readonly module: string;
  readonly args?: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Where its output goes, behind what is there. Without this and `heard`, straight to the terminal. */
  readonly logFile?: string;
  /** Is told every line of its output. */
  readonly heard?: (line: string) => void;
  /** Its time of day can be moved, and starts so many milliseconds from real time. */
  readonly clockOffsetMs?: number;
  /** In the place of what is loaded before it: the same, without a compiler in its memory (see `bundlePreload`). */
  readonly preload?: string;
}

/** A child ended by itself, or never became ready. */
export class ChildFailedError extends Error {
  override readonly name = 'ChildFailedError';
}

/** One process of the local run: it ends when this process ends, whatever happens. */
export class Child {
  readonly name: string;
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #process: ChildProcess;
  readonly #options: ChildOptions;
  readonly #lines: string[] = [];
  readonly #listeners = new Set<(line: string) => void>();
  #stopping = false;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
    if (options.heard) this.#listeners.add(options.heard);

    const { clockOffsetMs, logFile } = options;
    const output = logFile === undefined && !options.heard ? 'inherit' : 'pipe';
    const sources = [WITH_PARENT, ...(clockOffsetMs === undefined ? [] : [MOVABLE_CLOCK])];
    const preloaded = options.preload === undefined ? sources : [options.preload];
    const clock = clockOffsetMs === undefined ? {} : { LOCAL_CLOCK_OFFSET_MS: String(clockOffsetMs) };

    this.#process = spawn(
      process.execPath,
      [...preloaded.flatMap((path) => ['--import', path]), options.module, ...(options.args ?? [])],
      // A group of its own: Ctrl-C in the terminal reaches this process alone, which then stops its children in order.
      { env: { ...options.env, ...clock }, stdio: ['ignore', output, output, 'ipc'], detached: true },
    );

    this.ended = new Promise((resolve) => {
      this.#process.once('error', (error) => {
        this.#keep(`cannot be started: ${error.message}`);
        resolve({ code: null, signal: null });
      });
      this.#process.once('close', (code, signal) => resolve({ code, signal }));
    });

    if (output === 'pipe') this.#read(logFile);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null || this.pid === undefined;
  }

  /** Whether it was told to stop, or killed, so that its end is no surprise. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /**
   * Resolves with the first line of output that matches.
   *
   * @throws {@link ChildFailedError} when it ends first, or says nothing of the kind within `limitMs`.
   */
  async says(pattern: RegExp, limitMs = 60_000): Promise<RegExpExecArray> {
    let timeout: NodeJS.Timeout | undefined;
    let listener: ((line: string) => void) | undefined;
    try {
      return await new Promise<RegExpExecArray>((resolve, reject) => {
        listener = (line) => {
          const match = pattern.exec(line);
          if (match) resolve(match);
        };
        this.#listeners.add(listener);
        for (const line of this.#lines) listener(line);
        timeout = setTimeout(() => reject(this.failure(`was not ready within ${limitMs / 1000} s`)), limitMs);
        this.ended.then(() => reject(this.failure()));
      });
    } finally {
      clearTimeout(timeout);
      if (listener) this.#listeners.delete(listener);
    }
  }

  /** What it sends by `process.send`, once. */
  message(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#process.once('message', resolve);
      this.ended.then(() => reject(this.failure()));
    });
  }

  /** Answers what it asks by its channel. */
  answer(respond: (question: unknown) => unknown): void {
    answer(this.#process, respond);
  }

  /** An error with its last lines. */
  failure(what?: string): ChildFailedError {
    const { exitCode, signalCode } = this.#process;
    const happened = what ?? (signalCode ? `was ended by ${signalCode}` : `ended with exit code ${exitCode}`);
    const tail = this.#lines.slice(-LAST_LINES).map((line) => `  | ${line}`);
    const file = this.#options.logFile === undefined ? [] : [`  (all of it: ${this.#options.logFile})`];
    return new ChildFailedError([`${this.name} ${happened}.`, ...tail, ...file].join('\n'));
  }

  /** SIGTERM, and SIGKILL for one that has not gone after `limitMs`. */
  async stop(limitMs = 10_000): Promise<void> {
    this.#stopping = true;
    if (this.hasEnded) return;
    this.#process.kill('SIGTERM');
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), limitMs);
    await this.ended;
    clearTimeout(kill);
  }

  /** SIGKILL: it can finish nothing. Resolves when it has gone. */
  async kill(): Promise<void> {
    this.#stopping = true;
    this.#process.kill('SIGKILL');
    await this.ended;
  }

  /** Resolves when its time of day is so far from real time, or when it has gone. */
  async moveClock(offsetMs: number): Promise<void> {
    await Promise.race([ask(this.#process, { clockOffsetMs: offsetMs }).catch(() => undefined), this.ended]);
  }

  #read(logFile: string | undefined): void {
    const file = logFile === undefined ? undefined : createWriteStream(logFile, { mode: 0o600, flags: 'a' });

    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (text: string) => {
        file?.write(text);
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#keep(line);
      });

      stream?.once('end', () => rest && this.#keep(rest));
    }

    this.ended.then(() => file?.end());
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > 200) this.#lines.shift();
    for (const listener of this.#listeners) listener(line);
  }
}
