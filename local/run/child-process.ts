import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { answer, ask } from '../ipc.ts';
import { moduleBeside } from './module-beside.ts';

const WITH_PARENT = moduleBeside('./with-parent', import.meta.url);
const MOVABLE_CLOCK = moduleBeside('./movable-clock', import.meta.url);
const LAST_LINES = 20;

export interface ChildOptions {
  /** Name in messages: "Azurite", "the local Azure". */
  readonly name: string;
  readonly module: string;
  readonly args?: readonly string[];
  /** The whole environment: the child inherits nothing. */
  readonly env: Readonly<Record<string, string>>;
  /** File to which the output is appended. Without it and `heard`, the output goes to the terminal. */
  readonly logFile?: string;
  /** Gets every line of the output. */
  readonly heard?: (line: string) => void;
  /** If given, the child's time of day can be moved, and starts this many milliseconds from real time. */
  readonly clockOffsetMs?: number;
  /** Replaces the modules that are loaded first: the same code without a compiler in memory (see `bundlePreload`). */
  readonly preload?: string;
}

/** A child ended without a stop, or did not become ready. */
export class ChildFailedError extends Error {
  override readonly name = 'ChildFailedError';
}

/** A process of the local run. It always ends when this process ends. */
export class Child {
  readonly name: string;
  /** Resolves once it has ended; never rejects. */
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
      // A process group of its own: Ctrl-C in the terminal reaches only this process, which then stops its children in
      // order.
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

  /** Whether it was stopped or killed, so that its end is expected. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /**
   * Resolves with the first line of output that matches.
   *
   * @throws {@link ChildFailedError} if it ends before, or has no such line within `limitMs`
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

  /** The next message of `process.send`. */
  message(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#process.once('message', resolve);
      this.ended.then(() => reject(this.failure()));
    });
  }

  /** Answers the child's questions on its channel. */
  answer(respond: (question: unknown) => unknown): void {
    answer(this.#process, respond);
  }

  /** An error with the last lines of output. */
  failure(what?: string): ChildFailedError {
    const { exitCode, signalCode } = this.#process;
    const happened = what ?? (signalCode ? `was ended by ${signalCode}` : `ended with exit code ${exitCode}`);
    const tail = this.#lines.slice(-LAST_LINES).map((line) => `  | ${line}`);
    const file = this.#options.logFile === undefined ? [] : [`  (all of it: ${this.#options.logFile})`];
    return new ChildFailedError([`${this.name} ${happened}.`, ...tail, ...file].join('\n'));
  }

  /** Sends SIGTERM, and SIGKILL after `limitMs`. */
  async stop(limitMs = 10_000): Promise<void> {
    this.#stopping = true;
    if (this.hasEnded) return;
    this.#process.kill('SIGTERM');
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), limitMs);
    await this.ended;
    clearTimeout(kill);
  }

  /** Sends SIGKILL, so that it completes nothing. Resolves once it has ended. */
  async kill(): Promise<void> {
    this.#stopping = true;
    this.#process.kill('SIGKILL');
    await this.ended;
  }

  /** Resolves once its time of day has this offset, or it has ended. */
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
