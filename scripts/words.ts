import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';

// Words and test titles that `npm run lint` rejects: name the actor and the subject, and use the field's term.

/** Say who: caller, operator, worker, holder, instance, Azure. */
const ACTORS = /\b(?:some|any)(?:body|one)\b|\bnobody\b|\bwhoever\b/gi;

/** Parts of identifiers and file names in code and tests, each with the term to use. */
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

/** Words of titles and comments in `test` and `local`, each with the term to use. */
const PRIVATE: Readonly<Record<string, string>> = {
  'that there is not': 'unknown',
  'second look': 'verification pass',
  'put anew': 'queued again',
  'gives way': 'is replaced',
  'looks again': 'repeats, verifies',
};

/** The start of a test up to its title, behind the table of `each` too. */
const BEFORE_TITLE = /\b(?:it|test)(?:\.each\b(?:(?!\n\s*(?:it|test|describe)\b)[\s\S])*?\))?\(\s*['"`]/;
/** A title that begins with a verb needs its `describe` for a subject. */
const FRAGMENT = new RegExp(
  `${BEFORE_TITLE.source}((?:is|are|has|have|was|were|does|do|may|can|cannot|that) [^'"\`\\n]*)`,
  'g',
);

/** One line for each rejected word or title in the files, by path. */
export function wrongWords(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([file, text]) => {
    const actors = [...text.matchAll(ACTORS)].map(([word]) => `${file}: "${word}": name the actor`);
    const isCode = /^(?:src|page|local|bench|tour|test)\/.*\.tsx?$/.test(file);

    return [
      ...actors,
      ...(isCode ? inventedIn(file, text) : []),
      ...(/^(?:test|local)\//.test(file) ? privateIn(file, text) : []),
      ...(/^test\//.test(file) ? fragmentsIn(file, text) : []),
    ];
  });
}

function privateIn(file: string, text: string): string[] {
  return Object.entries(PRIVATE)
    .filter(([word]) => text.includes(word))
    .map(([word, term]) => `${file}: "${word}": say ${term}`);
}

function fragmentsIn(file: string, text: string): string[] {
  return [...text.matchAll(FRAGMENT)].map(([, title]) => `${file}: "${title}": name the subject in the title`);
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
