/** A parsed template expression: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions */
export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'member'; readonly of: Expression; readonly name: Expression; readonly safe: boolean };

const TOKEN = /\s*('(?:[^']|'')*'|-?\d+|[A-Za-z_][A-Za-z0-9_]*|\?\.|[()[\],.])/y;

/** Parses the expression in the brackets of `"[…]"`. */
export function parseExpression(text: string): Expression {
  const tokens: string[] = [];

  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text);
    if (!match?.[1]) throw new SyntaxError(`Not an expression: ${text}`);
    tokens.push(match[1]);
  }

  let next = 0;
  const peek = (): string | undefined => tokens[next];

  const take = (expected?: string): string => {
    const token = tokens[next];
    next += 1;

    if (token === undefined || (expected !== undefined && token !== expected)) {
      throw new SyntaxError(`Expected ${expected ?? 'more'} at token ${next} of ${text}`);
    }
    return token;
  };

  const primary = (): Expression => {
    const token = take();
    if (token.startsWith("'")) return { kind: 'literal', value: token.slice(1, -1).replaceAll("''", "'") };
    if (/^-?\d/.test(token)) return { kind: 'literal', value: Number(token) };

    let name = token;

    // A function of the template's own: namespace.function(…)
    while (peek() === '.') name += take('.') + take();

    take('(');

    const args: Expression[] = [];

    while (peek() !== ')') {
      args.push(expression());
      if (peek() !== ')') take(',');
    }

    take(')');

    return { kind: 'call', name, args };
  };

  const expression = (): Expression => {
    let here = primary();
    for (;;) {
      const token = peek();
      if (token === '.' || token === '?.') {
        take();
        here = { kind: 'member', of: here, name: { kind: 'literal', value: take() }, safe: token === '?.' };
      } else if (token === '[') {
        take('[');
        here = { kind: 'member', of: here, name: expression(), safe: false };
        take(']');
      } else {
        return here;
      }
    }
  };

  const result = expression();

  if (next !== tokens.length) throw new SyntaxError(`Left over after the expression: ${text}`);

  return result;
}
