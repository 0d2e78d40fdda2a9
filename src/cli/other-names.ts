import type { Command } from 'commander';

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

/** Rewrites a command line in the words of `gh`, `kubectl` and `az` to the command names here. */
export function replaceOtherNames(given: readonly string[], program: Command): readonly string[] {
  const args = given.flatMap((word, at) => {
    if (Object.hasOwn(OPTIONS, word)) return OPTIONS[word] || [];
    return WITH_TIME.test(given[at - 1] ?? '') ? isoOf(word) : word;
  });

  // The command's name follows the options of every command.
  const start = args.findIndex((word, at) => !word.startsWith('-') && !WITH_VALUE.test(args[at - 1] ?? ''));
  if (start < 0) return args;

  const options = args.slice(0, start);
  const words = args.slice(start);

  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ');
    const target = Object.hasOwn(HABITS, name) ? HABITS[name] : undefined;
    if (target === undefined) continue;

    return [...options, ...spelled([...target.split(' '), ...words.slice(length)], program)];
  }

  return [...options, ...spelled(words, program)];
}

/** Rewrites `get keys`, `keys ls` and `describe key` to `key list` and `key show`. */
function spelled([first = '', second, ...rest]: readonly string[], program: Command): string[] {
  const others = second === undefined ? rest : [second, ...rest];
  const groupOf = (noun: string): Command | undefined =>
    program.commands.find((one) => one.commands.length > 0 && [one.name(), `${one.name()}s`].includes(noun));
  const firstGroup = groupOf(first);
  const group = firstGroup ?? groupOf(second ?? '');
  if (!group) return [first, ...others];

  const verb = (firstGroup ? second : first) ?? '';
  const hasArgument = rest[0] !== undefined && !rest[0].startsWith('-');
  const meant = verb === 'get' && !hasArgument ? 'list' : VERBS[verb];
  const names = group.commands.map((one) => one.name());
  const known = [verb, meant].find((one) => one !== undefined && names.includes(one));
  if (known !== undefined) return [group.name(), known, ...rest];

  // A noun in second place counts only with a known verb.
  return [firstGroup ? group.name() : first, ...others];
}

/** Converts `1h` to an ISO 8601 duration. */
function isoOf(text: string): string {
  const [, number, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (number === undefined) return text;
  return unit === 'd' ? `P${number}D` : `PT${number}${unit.toUpperCase()}`;
}
