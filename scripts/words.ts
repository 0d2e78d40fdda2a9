import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';

// Words that `npm run lint` rejects: name the actor, and use the field's term.

/** Say who: caller, operator, worker, holder, instance, Azure. */
const ACTORS = /\b(?:some|any)(?:body|one)\b|\bnobody\b|\bwhoever\b/gi;

/** Parts of identifiers and file names in `src`, `page`, `local`, `bench` and `tour`, each with the term to use. */
const INVENTED: Readonly<Record<string, string>> = {
  'put off': 'requeue, defer',
  'left alone': 'cooldown',
  unsaid: 'default',
  'kept part': 'cache',
  'shared reads': 'single flight',
  'giving way': 'yield',
  'time boxed': 'abort after',
  'take account': 'revoke',
  'give account': 'restore',
  'give access': 'grant',
  'come to': 'reconcile',
  'hand out': 'permit',
  'second look': 'verification',
  'found later': 'found in',
  mend: 'repair',
  mended: 'repaired',
  pacer: 'rate limiter',
  ghost: 'resurrected record',
  'take back': 'roll back',
  'look again': 'repeat, verify',
  remembered: 'cached',
  sighting: 'observation',
};

/** One line for each rejected word in the files, by path. */
export function wrongWords(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([file, text]) => {
    const actors = [...text.matchAll(ACTORS)].map(([word]) => `${file}: "${word}": name the actor`);
    return [...actors, ...(/^(?:src|page|local|bench|tour)\/.*\.tsx?$/.test(file) ? inventedIn(file, text) : [])];
  });
}

function inventedIn(file: string, text: string): string[] {
  const names = new Set([basename(file), ...(text.match(/[A-Za-z_]\w*/g) ?? [])]);
  return [...names].flatMap((name) =>
    Object.entries(INVENTED)
      .filter(([word]) => partsOf(name).includes(` ${word} `))
      .map(([, term]) => `${file}: ${name}: say ${term}`),
  );
}

/** `putOff`, `PUT_OFF` and `put-off` are all ` put off `. */
function partsOf(name: string): string {
  const parts = name.replaceAll(/([a-z\d])([A-Z])/g, '$1 $2').split(/[^A-Za-z\d]+/);
  return ` ${parts.join(' ').toLowerCase()} `;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const code = '{src,page,docs,local,bench,scripts,tour,test}/**/*.{ts,tsx,mts,mjs,cjs,md,json,css,html}';
  const names = globSync([code, 'infra/**/*.md', '*.md'], {
    // Recordings are Azure's words, and the test of this file plants the words.
    exclude: [
      '**/node_modules/**',
      'docs/.vitepress/{cache,dist}/**',
      'CHANGELOG.md',
      'test/local-azure/recordings/**',
      'test/words.test.ts',
    ],
  }).map((name) => name.replaceAll('\\', '/'));
  const wrong = wrongWords(new Map(names.map((name) => [name, readFileSync(name, 'utf8')])));
  for (const line of wrong) console.error(line);
  if (wrong.length > 0) process.exitCode = 1;
}
