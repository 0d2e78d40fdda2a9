import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * V8 lets its heap grow to half of the memory of an instance, and collects garbage accordingly late; the deployed
 * instance has 2,048 MB (infra: `instanceMemoryMB`), whatever this machine has.
 */
const HEAP_MB = 1_024;

/** The app in its Functions host, as a process of its own that is measured. */
export class AppProcess {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #exited: Promise<void>;
  #peakBytes = 0;

  constructor(host: string, app: string, env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, host, '--app', app], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    if (!stdout) throw new Error('The app has no output.');
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()));
    this.#ready = new Promise((resolve, reject) => {
      // Read to the end in any case: a full pipe would hold up the app.
      createInterface({ input: stdout }).on('line', (line) => {
        if (line.startsWith('host ready ')) resolve();
      });
      void this.#exited.then(() => reject(new Error('The app ended before it was ready.')));
    });
    this.#ready.catch(() => undefined);
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  /** The most memory (resident set) that it has had so far, in MiB; undefined where the system does not tell. */
  peakMiB(): number | undefined {
    try {
      const [, kib = '0'] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')) ?? [];
      this.#peakBytes = Math.max(this.#peakBytes, Number(kib) * 1024);
    } catch {
      // Not Linux, or the process has gone.
    }
    return this.#peakBytes === 0 ? undefined : this.#peakBytes / 1024 ** 2;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.peakMiB();
    this.#child.kill(signal);
    await this.#exited;
  }
}
