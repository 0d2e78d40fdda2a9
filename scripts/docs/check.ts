import { existsSync, globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { anchor } from './anchor.ts';

// Checks of the documents, part of `npm run lint`: links, files and scripts that they name, form, words, length.

/** Words planned for a page that is written by hand; one and a half times as many are worth a warning. */
const PLAN: Readonly<Record<string, number>> = {
  'README.md': 800,
  'CONTRIBUTING.md': 650,
  'docs/tutorial/local-tour.md': 600,
  'docs/tutorial/first-deployment.md': 700,
  'docs/how-to/incident.md': 900,
  'docs/how-to/leaked-key.md': 1200,
  'docs/how-to/morning-round.md': 700,
  'docs/how-to/large-rotations.md': 700,
  'docs/how-to/onboard-accounts.md': 500,
  'docs/how-to/beside-az.md': 1000,
  'docs/how-to/deploy-azd.md': 1800,
  'docs/how-to/deploy-other-ways.md': 700,
  'docs/how-to/private-networks.md': 400,
  'docs/how-to/access.md': 700,
  'docs/how-to/notifications.md': 600,
  'docs/how-to/audit.md': 700,
  'docs/how-to/managed-hsm.md': 900,
  'docs/how-to/upgrade.md': 600,
  'docs/how-to/uninstall.md': 500,
  'docs/how-to/troubleshooting.md': 800,
  'docs/explanation/how-it-works.md': 800,
  'docs/explanation/revocation.md': 1200,
  'docs/explanation/scale.md': 700,
  'docs/explanation/security-model.md': 1000,
  'docs/explanation/trust.md': 1200,
  'docs/explanation/architecture.md': 2500,
};
/** Of every other page. */
const OTHER = 900;
/** Of the whole of `docs/`, by hand, and of what CHANGELOG.md has not released yet. */
const MOST = { docs: 36_000, readme: 850, unreleased: 3_000 };

const GENERATED = '<!-- Everything below is written by `npm run reference`. -->';

const DOCUMENTS = globSync(['*.md', '{docs,infra,local,examples,.github}/**/*.md', 'test/README.md'], {
  exclude: ['**/node_modules/**'],
}).map((name) => name.replaceAll('\\', '/'));
const wrong: string[] = [];
const warnings: string[] = [];
let words = 0;

for (const name of DOCUMENTS) {
  const text = readFileSync(name, 'utf8');
  const [byHand = ''] = text.split(GENERATED);
  const problems = [...links(name, text), ...names(text), ...form(byHand), ...comments(byHand)];
  for (const problem of problems) wrong.push(`${name}: ${problem}`);
  const count = wordsOf(byHand);
  if (name.startsWith('docs/')) words += count;
  const plan = PLAN[name] ?? OTHER;
  if (name.startsWith('docs/') && count > 1.5 * plan) {
    warnings.push(`${name} has ${count} words, and ${plan} are planned`);
  }
}
if (words > MOST.docs) wrong.push(`docs/ has ${words} words written by hand, at most ${MOST.docs} are planned`);
const readme = wordsOf(readFileSync('README.md', 'utf8'));
if (readme > MOST.readme) wrong.push(`README.md has ${readme} words, at most ${MOST.readme} are planned`);
const [, unreleased = ''] = /^## \[Unreleased\]\n([\s\S]*?)^## \[/m.exec(readFileSync('CHANGELOG.md', 'utf8')) ?? [];
if (wordsOf(unreleased) > MOST.unreleased) {
  wrong.push(`CHANGELOG.md has ${wordsOf(unreleased)} unreleased words, at most ${MOST.unreleased} are read`);
}

for (const warning of warnings) console.warn(`warning: ${warning}`);
for (const problem of wrong) console.error(problem);
console.log(`Documents: ${DOCUMENTS.length}, ${words} words by hand in docs/, ${readme} in README.md.`);
if (wrong.length > 0) process.exitCode = 1;

/** Bars of tables are none. */
function wordsOf(text: string): number {
  return text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

/** Without blocks and spans of code. */
function prose(text: string): string {
  return text.replaceAll(/^( *)```.*\n[\s\S]*?^\1```$/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

/** Links to files and headings that are not there. */
function links(name: string, text: string): string[] {
  return [...prose(text).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(([link, path = '', heading]) => {
    const target = path === '' ? name : posix.join(posix.dirname(name), path);
    const isThere =
      existsSync(target) && (heading === undefined || headings(readFileSync(target, 'utf8')).includes(heading));
    return isThere ? [] : [`${link} leads nowhere`];
  });
}

function headings(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchor(heading));
}

/** Files of the repository, and scripts of package.json, that are named and not there. */
function names(text: string): string[] {
  const scripts: object = JSON.parse(readFileSync('package.json', 'utf8')).scripts;
  const paths = [
    ...text.matchAll(/`((?:src|test|scripts|local|docs|infra|bench|tour|examples|\.ci|\.github)\/[\w./-]*)`/g),
  ];
  const runs = [...text.matchAll(/npm run (?:--silent )?([\w:]+)/g)];
  return [
    ...paths.flatMap(([, path = '']) => (existsSync(path) ? [] : [`${path} is not there`])),
    ...runs.flatMap(([, script = '']) => (Object.hasOwn(scripts, script) ? [] : [`npm run ${script} is not there`])),
  ];
}

/** Comments in blocks of shell commands: an interactive zsh takes `#` for an argument, and runs what stands after it. */
function comments(text: string): string[] {
  const blocks = [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].map(([, block = '']) => block);
  const commented = blocks.flatMap((block) => block.split('\n').filter((line) => /(?:^|\s)#(?:\s|$)/.test(line)));
  return commented.map(
    (line) => `a comment in a block breaks when pasted into zsh, write it above: ${line.slice(0, 60)}`,
  );
}

/** One line for each paragraph and list item, and tables without padding. */
function form(text: string): string[] {
  const lines = text.replaceAll(/^( *)```.*\n[\s\S]*?^\1```$/gm, '');
  const wrapped = [...lines.matchAll(/^[^|#<>\s].*\n(?!\s*(?:[-*]|\d+\.) )[^|#<>\n].*/gm)].map(([found]) => found);
  const padded = [...lines.matchAll(/^\|.*(?: {2}\||-{4}).*$/gm)].map(([found]) => found);
  return [...wrapped, ...padded].map(
    (found) => `one line for a paragraph, tables without padding: ${found.slice(0, 60)}`,
  );
}
