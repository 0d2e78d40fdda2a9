import { readFile } from 'node:fs/promises';
import Module, { createRequire } from 'node:module';
import { join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AppRegistry } from './core-api.ts';
import type { Write } from './log.ts';

/** An app without functions keeps its registry, so that the host can say why. */
export interface LoadedApp {
  readonly registry: AppRegistry;
  /** What stopped it from loading. */
  readonly failure: string | undefined;
}

const CORE = '@azure/functions-core';
/** By folder. Two apps can live in one process (tests do), each with its own copy of the library. */
const registries = new Map<string, AppRegistry>();

/**
 * Loads an app as the language worker does: `@azure/functions-core` is answered by way of `Module.prototype.require`,
 * then the entry point that package.json names is required (or imported, when it is an ES module).
 *
 * An exception never escapes: before the first `app.*` call it looks like an app without functions, after it every
 * function is dropped. `throw undefined` counts as success.
 */
export async function loadApp(appDir: string, write: Write): Promise<LoadedApp> {
  const folder = resolve(appDir);
  const registry = new AppRegistry((level, message) => write(level, 'Worker.System', message));

  registries.set(folder, registry);
  supplyCore();

  const { main, type } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
  let failure: string | undefined;

  if (typeof main !== 'string') {
    failure = 'package.json names no entry point: give it "main".';
  } else {
    try {
      await loadEntryPoint(folder, main, type === 'module');
      await registry.runHooks('appStart', { hookData: {}, appHookData: {}, functionAppDirectory: folder });
    } catch (error) {
      if (error !== undefined) failure = `Worker was unable to load entry point "${main}": ${describe(error)}`;
    }
  }

  if (failure !== undefined) {
    registry.functions.clear();
    write('error', 'Worker.System', failure);
  }

  if (registry.functions.size === 0) write('warning', 'Host.Startup', 'No functions found.');

  registry.finishStartup();

  return { registry, failure };
}

async function loadEntryPoint(folder: string, main: string, isEsm: boolean): Promise<void> {
  const path = join(folder, main);
  if (path.endsWith('.mjs') || (isEsm && !path.endsWith('.cjs'))) {
    await import(pathToFileURL(path).href);
    return;
  }
  const require = createRequire(join(folder, 'package.json'));
  delete require.cache[path]; // a second start in one process loads the app anew
  require(path);
}

let supplied = false;

function supplyCore(): void {
  if (supplied) return;

  supplied = true;

  const original = Module.prototype.require;
  Module.prototype.require = Object.assign(function (this: Module, id: string): unknown {
    if (id !== CORE) return original.call(this, id);
    const folder = [...registries.keys()].find((known) => this.filename?.startsWith(known + sep));
    // A library outside the app's folder (unbundled, hoisted) belongs to the app that is loading.
    const registry = folder === undefined ? [...registries.values()].at(-1) : registries.get(folder);
    return registry?.coreApi;
  }, original);
}

/** An error with its stack, whatever was thrown. */
export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
