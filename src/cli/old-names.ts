/**
 * Commands by their names in version 2, which are read for one release and then deleted with this file. A pair: without and
 * with an argument.
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

/** Options of every command that take a value, which is no word of the command's name. */
const WITH_VALUE = /^(?:-o|--(?:output|query|profile|subscription|cloud))$/;

/** The command line with the command's new name, and what to tell of it. */
export function renamed(args: readonly string[]): { readonly args: readonly string[]; readonly told?: string } {
  const words = args.flatMap((word, at) =>
    word.startsWith('-') || WITH_VALUE.test(args[at - 1] ?? '') ? [] : [{ word, at }],
  );
  for (const length of [2, 1]) {
    const named = words.slice(0, length);
    const old = named.map(({ word }) => word).join(' ');
    const name = Object.hasOwn(OLD_NAMES, old) ? OLD_NAMES[old] : undefined;
    if (name === undefined) continue;
    const next = typeof name === 'string' ? name : name[words.length > length ? 1 : 0];
    const places = new Set(named.map(({ at }) => at));
    const first = named[0]?.at ?? 0;
    const before = args.slice(0, first);
    const after = args.slice(first).filter((_, at) => !places.has(first + at));
    return {
      args: [...before, ...next.split(' '), ...after],
      told: `\`cmk ${old}\` is now \`cmk ${next}\`: the old name works in this release only.`,
    };
  }
  return { args };
}
