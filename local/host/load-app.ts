import { readFile } from 'node:fs/promises';
import Module, { createRequire } from 'node:module';
import { join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AppRegistry } from './core-api.ts';
import type { Write } from './log.ts';

/** An app without functions keeps its registry, so that the host can log why. */
export interface LoadedApp {
  readonly registry: AppRegistry;
  /** Why it did not load; undefined if it did. */
  readonly failure: string | undefined;
}

const CORE = '@azure/functions-core';
/** By folder. Tests load two apps in one process, each with its own copy of the library. */
const registries = new Map<string, AppRegistry>();

/**
 * Loads an app as the language worker does: replaces `@azure/functions-core` in `Module.prototype.require`, then
 * requires the entry point of package.json (or imports it, if it is an ES module).
 *
 * It never throws: an exception before the first `app.*` call means an app without functions; a later one drops every
 * function. `throw undefined` counts as success.
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
  delete require.cache[path]; // so that a second start in one process loads the app again
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
    // A library outside the app's folder (unbundled, hoisted) belongs to the app that loads now.
    const registry = folder === undefined ? [...registries.values()].at(-1) : registries.get(folder);
    return registry?.coreApi;
  }, original);
}

/** The stack of an error, or the text of any other thrown value. */
export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
