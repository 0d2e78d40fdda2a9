import { readFileSync } from 'node:fs';
import { code, plain, table } from './markdown.ts';

const ROLE =
  /roleName: 'CMK Autopilot ([^$]+?) \$\{suffix\}'\n\s+description: '((?:[^'\\]|\\.)*)'([\s\S]*?)(?=\nresource |\noutput |$)/g;

/** The custom roles, with the reason that `infra/modules/roles.bicep` gives for each action. */
export function rightsReference(): string {
  const source = readFileSync('infra/modules/roles.bicep', 'utf8');
  const sections = [...source.matchAll(ROLE)].map(([, name = '', description = '', body = '']) => {
    const rows = actions(body).map(({ action, reason }) => [code(action), plain(reason)]);
    return `### ${name}\n\n${description.replaceAll("\\'", "'")}\n\n${table(['action', 'reason'], rows)}\n`;
  });
  return `## Custom roles\n\nTheir names begin with \`CMK Autopilot\`.\n\n${sections.join('\n')}`;
}

/** The actions of a role; a comment holds for those up to the next comment. */
function actions(body: string): { action: string; reason: string }[] {
  let reason = '';
  let isComment = false;

  return body.split('\n').flatMap((line) => {
    const [, comment] = /^\s*\/\/ ?(.*)$/.exec(line) ?? [];
    if (comment !== undefined) {
      reason = isComment ? `${reason} ${comment}` : comment;
      isComment = true;
      return [];
    }
    isComment = false;
    const [, action] = /^\s*'(Microsoft\.[\w./]+)'\s*$/.exec(line) ?? [];
    return action ? [{ action, reason }] : [];
  });
}
