import { type HelpPage, helpPages } from './reference/command-line.ts';

export interface ManPage {
  /** `cmk-key-rotate.1`. */
  readonly file: string;
  readonly text: string;
}

/** A manual page for each command (man-pages(7)), made of its help: that of `cmk` has what `cmk help` tells beside the commands. */
export function manPages(version: string): ManPage[] {
  const pages = helpPages();
  const topics = pages.filter(({ path }) => path.startsWith('cmk help '));
  const commands = pages.filter((page) => !topics.includes(page));

  return commands.map((page) => {
    const name = page.path.replaceAll(' ', '-');
    const help = [page, ...(page.path === 'cmk' ? topics : [])].map(sectionsOf).join('');
    const seeAlso = page.path === 'cmk' ? commands.filter(({ path }) => path.split(' ').length === 2) : parentOf(page);
    const names = seeAlso.map(({ path }) => `${escaped(path.replaceAll(' ', '-'))}(1)`);
    const text = [
      `.TH "${name.toUpperCase()}" "1" "" "cmk ${version}" "cmk"`,
      '.SH NAME',
      `${escaped(name)} \\- ${escaped(page.description)}`,
      `${help}.SH SEE ALSO`,
      names.join(', '),
    ];

    return { file: `${name}.1`, text: `${text.join('\n')}\n` };
  });
}

function parentOf({ path }: HelpPage): { readonly path: string }[] {
  return [{ path: path.split(' ').slice(0, -1).join(' ') }];
}

/** Help as sections: a line that ends with a colon names one, and what follows is shown as it stands. */
function sectionsOf({ help }: HelpPage): string {
  const [usage = '', ...lines] = help.trimEnd().split('\n');
  const body = lines.map((line) => {
    const [, title] = /^([A-Z][\w ,]*):$/.exec(line) ?? [];
    return title === undefined ? escaped(line) : `.fi\n.SH ${title.toUpperCase()}\n.nf`;
  });
  const [, synopsis] = /^Usage: (.*)/.exec(usage) ?? [];
  const first =
    synopsis === undefined
      ? `.SH ${usage.replace(/:$/, '').toUpperCase()}`
      : `.SH SYNOPSIS\n${escaped(synopsis)}\n.SH DESCRIPTION`;

  return `${first}\n.nf\n${body.join('\n').replace(/^\n+|\n+$/g, '')}\n.fi\n`;
}

/** Text in which groff sees none of its requests and every hyphen as the one that is typed. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&')
    .replace(/[^\n -~]/g, (one) => `\\[u${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`);
}
