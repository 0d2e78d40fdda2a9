import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * The rooms of `src/` from the ground up: a file imports from its own room and from the lines above it, types included,
 * and never from further down. Rooms on one line do not know each other.
 */
export const ROOMS: readonly (readonly string[])[] = [
  ['errors'],
  ['azure', 'formats', 'telemetry'],
  ['http', 'keys'],
  ['settings', 'vaults'],
  ['audit', 'work'],
  ['index', 'orders', 'revocation'],
  ['accounts'],
  ['identities', 'key-users', 'rotation'],
  ['controller', 'events', 'retirement', 'role-revocation'],
  ['drift', 'probe'],
  ['evidence', 'notify', 'status'],
  ['services.ts'],
  ['api'],
  ['cli', 'functions'],
];

/** Relative imports, as Biome formats them; `import type`, `export … from` and `import()` count. */
const IMPORT = /^(?:import|export)\b[^;']*?'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm;

/** Packages of Azure, types included; those of the Functions host are another matter. */
const SDK = /^(?:import|export)\b[^;']*?'(@azure\/(?!functions')[^']+)'|\bimport\('(@azure\/(?!functions')[^']+)'\)/gm;
/** Who may know one: the rest speaks of the app's own types. */
const CLIENTS = /^src\/(?:azure\/.*|.*-client|services)\.ts$/;

/** What is wrong with the imports of some files, one line for each wrong arrow and each circle. */
export function wrongArrows(files: ReadonlyMap<string, string>): string[] {
  const imports = new Map([...files].map(([file, text]) => [file, importsOf(file, text)]));
  const floors = new Map<string, number>(
    ROOMS.flatMap((rooms, floor) => rooms.map((room) => [`src/${room}`, floor] as const)),
  );
  const wrong: string[] = [];

  for (const [file, targets] of imports) {
    if (!file.startsWith('src/')) continue;

    for (const sdk of CLIENTS.test(file) ? [] : sdksOf(files.get(file) ?? '')) {
      wrong.push(`${file} imports ${sdk}: that is for *-client.ts, src/azure and src/services.ts`);
    }

    const room = roomOf(file, floors);
    if (room === undefined) wrong.push(`${file} is in no room of scripts/arrows.ts`);

    for (const target of targets) {
      if (!target.startsWith('src/')) wrong.push(`${file} imports ${target}: src/ knows nothing of what is beside it`);

      const other = roomOf(target, floors);
      if (room === undefined || other === undefined || room === other) continue;

      if ((floors.get(other) ?? 0) >= (floors.get(room) ?? 0)) {
        wrong.push(`${file} imports ${target}: ${room} stands below or beside ${other}`);
      }
    }
  }

  return [...wrong, ...circles(imports), ...circles(foldersOf(imports)), ...namedTwice(files)];
}

/** Whatever an export declares; `export { one as other }` is not used in `src/`. */
const EXPORT = /^export (?:async |abstract |declare )*(?:function\*?|class|interface|type|const|let|enum) (\w+)/gm;

/** One line for each exported name of `src/` that stands for two things. */
function namedTwice(files: ReadonlyMap<string, string>): string[] {
  const owners = new Map<string, string>();
  const wrong: string[] = [];

  for (const [file, text] of files) {
    for (const [, name = ''] of file.startsWith('src/') ? text.matchAll(EXPORT) : []) {
      const owner = owners.get(name);
      if (owner) wrong.push(`${file} exports ${name}, and so does ${owner}`);
      owners.set(name, file);
    }
  }

  return wrong;
}

export function importsOf(file: string, text: string): string[] {
  return [...text.matchAll(IMPORT)].map(([, from, dynamic]) => posix.join(posix.dirname(file), from ?? dynamic ?? ''));
}

function sdksOf(text: string): string[] {
  return [...text.matchAll(SDK)].map(([, from, dynamic]) => from ?? dynamic ?? '');
}

/** The folder or file of `src/` that it stands in; a folder below is part of it. */
function roomOf(file: string, floors: ReadonlyMap<string, number>): string | undefined {
  for (let path = file; path !== '.'; path = posix.dirname(path)) {
    if (floors.has(path)) return path;
  }
  return undefined;
}

/** The folders of `src/` instead of its files, each with the folders that its own files import. */
function foldersOf(imports: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const folders = new Map<string, string[]>();

  for (const [file, targets] of imports) {
    if (!file.startsWith('src/')) continue;

    const folder = posix.dirname(file);
    const others = targets.map((target) => posix.dirname(target)).filter((other) => other !== folder);
    folders.set(folder, [...(folders.get(folder) ?? []), ...others]);
  }

  return folders;
}

/** One line for each import that closes a circle. */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push(`a circle: ${[...path.slice(at), file].join(' -> ')}`);
    if (at >= 0 || done.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };

  for (const file of imports.keys()) visit(file, []);

  return found;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const names = globSync('{src,page,local,scripts,bench,test}/**/*.{ts,tsx}').map((name) => name.replaceAll('\\', '/'));
  const wrong = wrongArrows(new Map(names.map((name) => [name, readFileSync(name, 'utf8')])));
  for (const line of wrong) console.error(line);
  process.exitCode = wrong.length > 0 ? 1 : 0;
}
