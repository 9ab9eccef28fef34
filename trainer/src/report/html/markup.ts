// HTML that is safe by construction: whatever is put into a template is escaped, unless it is markup itself.

export class Markup {
  constructor(readonly text: string) {}
}

type Part = Markup | string | number | undefined | readonly Part[];

/**
 * A piece of HTML. Text and numbers are escaped, for content and for quoted attributes alike; lists are joined; undefined
 * leaves nothing.
 *
 * @example markup`<p title="${name}">${lines.map((line) => markup`<b>${line}</b>`)}</p>`
 */
export const markup = (texts: TemplateStringsArray, ...parts: readonly Part[]): Markup =>
  new Markup(texts.reduce((result, text, at) => result + textOf(parts[at - 1]) + text));

function textOf(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'string' || typeof part === 'number') return escaped(String(part));
  return part.map(textOf).join('');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escaped = (text: string): string => text.replace(/[&<>"']/g, (char) => ENTITIES[char]!);
