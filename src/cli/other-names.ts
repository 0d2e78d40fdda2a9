import type { Command } from 'commander';

/**
 * Commands by their version 2 names, which work for one release; delete them afterwards. A pair: without and with an
 * argument.
 */
const OLD_NAMES: Readonly<Record<string, string | readonly [string, string]>> = {
  'audit lock': 'admin lock-audit',
  'drift check': 'drift',
  'events ensure': 'admin ensure-events',
  fleet: 'account list',
  'fleet list': 'account list',
  history: 'audit list --account',
  'identity ensure': 'admin ensure-identity',
  'key status': 'key show',
  'notify test': 'admin test-notification',
  'rekey status': ['rekey list', 'rekey show'],
  replay: 'admin replay',
  'role ensure': 'admin grant-role',
  'rotation status': ['rotation list', 'rotation show'],
  'rotation watch': 'rotation show --watch',
  watch: 'now --watch',
};

/** Commands of `gh`, `kubectl` and `az`, and their equivalents here. */
const HABITS: Readonly<Record<string, string>> = {
  'auth status': 'doctor',
  diff: 'drift',
  events: 'audit list',
  'get all': 'now',
  'get events': 'audit list',
  logs: 'audit list',
  'rollout pause': 'rotation pause',
  'rollout resume': 'rotation resume',
  'rollout status': 'rotation show',
  status: 'now',
  whoami: 'doctor',
};

/** Verbs of `gh`, `kubectl` and `az`, and their equivalents here. */
const VERBS: Readonly<Record<string, string>> = {
  create: 'ensure',
  describe: 'show',
  get: 'show',
  ls: 'list',
  view: 'show',
};

/** Options of `gh`, `kubectl` and `az`. An option that is an argument here becomes empty. */
const OPTIONS: Readonly<Record<string, string>> = {
  '--account-name': '',
  '--name': '',
  '--vault-name': '--vault',
  '-n': '',
  '-y': '--yes',
};

/** Options with a duration, which other tools write as `1h`. */
const WITH_TIME = /^(?:-w|--(?:if-older-than|since|until|wait|watch))$/;

/** Options of every command with a value: the value is not part of the command's name. */
const WITH_VALUE = /^(?:-o|--(?:output|query|subscription|cloud))$/;

interface Word {
  readonly word: string;
  /** Index on the command line. */
  readonly at: number;
}

/** Rewrites a command line to the command names of this version, with a hint for a version 2 name. */
export function renamed(
  given: readonly string[],
  program: Command,
): { readonly args: readonly string[]; readonly hint?: string } {
  const args = given.flatMap((word, at) => {
    if (Object.hasOwn(OPTIONS, word)) return OPTIONS[word] || [];
    return WITH_TIME.test(given[at - 1] ?? '') ? isoOf(word) : word;
  });
  const words = args.flatMap((word, at) =>
    word.startsWith('-') || WITH_VALUE.test(args[at - 1] ?? '') ? [] : [{ word, at }],
  );
  for (const length of [2, 1]) {
    const named = words.slice(0, length);
    const name = named.map(({ word }) => word).join(' ');
    const isOld = Object.hasOwn(OLD_NAMES, name);
    const target = isOld ? OLD_NAMES[name] : Object.hasOwn(HABITS, name) ? HABITS[name] : undefined;
    if (target === undefined) continue;
    const next = typeof target === 'string' ? target : target[words.length > length ? 1 : 0];
    const [first, ...others] = named.map(({ at }) => at);
    const rest = args.flatMap((word, at) => (at === first ? next.split(' ') : others.includes(at) ? [] : [word]));
    if (!isOld) return { args: rest };
    return { args: rest, hint: `\`cmk ${name}\` is now \`cmk ${next}\`: the old name works in this release only.` };
  }
  return { args: spelled(args, words, program) };
}

/** Rewrites `get keys`, `keys ls` and `describe key` to `key list` and `key show`. */
function spelled(args: readonly string[], [first, second]: readonly Word[], program: Command): readonly string[] {
  for (const [noun, verb] of [
    [first, second],
    [second, first],
  ]) {
    const group = program.commands.find(
      (one) => one.commands.length > 0 && noun && [one.name(), `${one.name()}s`].includes(noun.word),
    );
    if (!group || !noun) continue;
    const has = (name: string): boolean => group.commands.some((one) => one.name() === name);
    const next = args[Math.max(noun.at, verb?.at ?? 0) + 1];
    const target =
      verb && !has(verb.word) ? verbOf(verb.word, next !== undefined && !next.startsWith('-')) : verb?.word;
    const isKnown = target !== undefined && has(target);
    // A noun in second place counts only with a known verb.
    if (noun !== first && !isKnown) return args;
    const places = [first?.at, second?.at];
    return args.map((word, at) => {
      if (at === places[0]) return group.name();
      return isKnown && at === places[1] ? target : word;
    });
  }
  return args;
}

function verbOf(word: string, hasArgument: boolean): string | undefined {
  if (word === 'get' && !hasArgument) return 'list';
  return Object.hasOwn(VERBS, word) ? VERBS[word] : undefined;
}

/** Converts `1h` to an ISO 8601 duration. */
function isoOf(text: string): string {
  const [, number, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (number === undefined) return text;
  return unit === 'd' ? `P${number}D` : `PT${number}${unit.toUpperCase()}`;
}
