/** Words that a POSIX shell takes as they are, and that PowerShell takes so too. */
const PLAIN = /^[\w./:=,+-]+$/;
/** What a terminal may act upon, or show nothing of, when the command is pasted. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** An option and its value; without a name, the value alone. */
export type ShellOption = readonly [option: string, value: string];

/**
 * A command to be copied into a shell, each value as one word, whatever is in it: names and tags are anybody's to choose.
 *
 * @param command what is fixed: `az role assignment create`
 * @param values each after its option; one with the option `''` stands by itself
 * @returns undefined when a value cannot be given safely: it looks like an option or a file to be read, is empty, or has characters unseen
 */
export function shellCommand(command: string, values: readonly ShellOption[]): string | undefined {
  if (values.some(([, value]) => value === '' || /^[-@]/.test(value) || UNSEEN.test(value))) return undefined;
  return [command, ...values.flatMap(([option, value]) => [...(option ? [option] : []), shellWord(value)])].join(' ');
}

function shellWord(value: string): string {
  return PLAIN.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
