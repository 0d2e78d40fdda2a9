import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The Azure CLI with a configuration folder of its own: no other sign-in is touched. */
export class Az {
  readonly #environment: Record<string, string>;
  readonly #folder: string;

  /** @param environment what makes it a client of the local Azure */
  constructor(environment: Readonly<Record<string, string>>) {
    this.#folder = mkdtempSync(path.join(tmpdir(), 'cmk-az-'));
    const { PATH = '', HOME = '', CMK_AZ_HOME, XDG_CACHE_HOME } = process.env;

    this.#environment = {
      PATH,
      HOME,
      ...(CMK_AZ_HOME ? { CMK_AZ_HOME } : {}),
      ...(XDG_CACHE_HOME ? { XDG_CACHE_HOME } : {}),
      AZURE_CONFIG_DIR: this.#folder,
      AZURE_CORE_COLLECT_TELEMETRY: 'false',
      AZURE_CORE_NO_COLOR: 'true',
      PYTHONWARNINGS: 'ignore',
      ...environment,
    };
  }

  /** Runs a command as one would type it, without the leading `az`; words in double quotes are one. */
  run(command: string): Promise<{ code: number; stdout: string; stderr: string }> {
    const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
    return new Promise((resolve) => {
      execFile('az', words, { env: this.#environment, encoding: 'utf8' }, (error, stdout, stderr) => {
        const failed = typeof error?.code === 'number' ? error.code : 1;
        const code = error ? failed : 0;
        resolve({ code, stdout, stderr });
      });
    });
  }

  /** Runs a script as one would paste it into a shell; `folder` has commands that go before others. */
  script(text: string, folder: string): Promise<{ code: number; stdout: string; stderr: string }> {
    const env = { ...this.#environment, PATH: `${folder}${path.delimiter}${this.#environment.PATH}` };
    return new Promise((resolve) => {
      const shell = execFile('sh', [], { env, encoding: 'utf8' }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
      shell.stdin?.end(text);
    });
  }

  /** @throws when the command fails, with what it said */
  async text(command: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(command);
    if (code !== 0) throw new Error(`az ${command}\nended with ${code}:\n${stderr || stdout}`);
    return stdout.trim();
  }

  async json<T = Record<string, unknown>>(command: string): Promise<T> {
    const text = await this.text(`${command} --output json`);
    return JSON.parse(text || '{}') as T;
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
