/** An XML element: text is escaped, elements are kept. */
export function element(name: string, content: string | readonly Xml[], attributes: Record<string, string> = {}): Xml {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(value)}"`);
  const inner = typeof content === 'string' ? escapeXml(content) : content.map(({ xml }) => xml).join('');
  return { xml: inner === '' ? `<${name}${written.join('')} />` : `<${name}${written.join('')}>${inner}</${name}>` };
}

export interface Xml {
  readonly xml: string;
}

/** A document, with the byte order mark that Azure Storage puts first. */
export function xmlDocument(root: Xml): string {
  return `\uFEFF<?xml version="1.0" encoding="utf-8"?>${root.xml}`;
}

const entities: Record<string, string> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' };

function escapeXml(text: string): string {
  return text.replace(/[<>&"]/g, (sign) => entities[sign] ?? sign);
}
