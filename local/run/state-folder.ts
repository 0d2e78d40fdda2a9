import { readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/**
 * The folder of a local run for other processes: environment file, certificates, logs. Only one run uses it at a time.
 */
export interface StateFolder {
  readonly path: string;
  readonly envFile: string;
  logFile(name: string): string;
  /** Deletes the environment file and the claim, so that no client uses a run that has ended. */
  release(): Promise<void>;
}

/** Another run uses the folder. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError';
}

/**
 * Claims the folder for this process. Takes over the claim of a killed run.
 *
 * @throws {@link FolderInUseError}
 */
export async function claimStateFolder(folder: string): Promise<StateFolder> {
  const path = resolve(folder);

  await mkdir(path, { recursive: true, mode: 0o700 });

  const claim = join(path, 'pid');
  const other = await ownerOf(claim);
  if (other !== undefined) {
    throw new FolderInUseError(
      `A local run is up already in ${path} (process ${other}). Stop it first, or start another one beside it: ` +
        'PORT=7072 LOCAL_DIR=.local/second npm start',
    );
  }

  await rm(claim, { force: true });

  try {
    await writeFile(claim, `${process.pid}\n`, { flag: 'wx' }); // fails for one of two simultaneous starts
  } catch (cause) {
    throw new FolderInUseError(`Another local run is starting in ${path}. Try again in a moment.`, { cause });
  }

  await rm(join(path, 'logs'), { recursive: true, force: true }); // the logs of the previous run
  await mkdir(join(path, 'logs'), { mode: 0o700 });

  const envFile = join(path, 'env');

  return {
    path,
    envFile,
    logFile: (name) => join(path, 'logs', `${name}.log`),
    release: async () => {
      await rm(envFile, { force: true });
      await rm(claim, { force: true });
    },
  };
}

/** The process with the claim, if it still runs. */
async function ownerOf(claim: string): Promise<number | undefined> {
  const pid = Number(await readFile(claim, 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: the process of another user, so it runs.
    return (error as NodeJS.ErrnoException).code === 'EPERM' && isLocalRun(pid) ? pid : undefined;
  }
  return isLocalRun(pid) ? pid : undefined;
}

/** Process ids recur: where the system allows it, check what the process is. */
function isLocalRun(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('start.ts');
  } catch {
    return true;
  }
}
