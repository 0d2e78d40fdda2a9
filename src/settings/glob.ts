/** Whether a text matches a pattern in which `*` matches any characters. Ignores letter case. Runs in linear time. */
export function isGlobMatch(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.toLowerCase().split('*');
  const subject = text.toLowerCase();
  const last = rest.pop();
  if (last === undefined) return first === subject;
  if (!subject.startsWith(first)) return false;

  let at = first.length;

  for (const part of rest) {
    const found = subject.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }

  return subject.length - last.length >= at && subject.endsWith(last);
}
