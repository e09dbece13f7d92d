/** Markup that needs no escaping any more. */
export interface Html {
  readonly markup: string;
}

export type HtmlPart = Html | string | number | readonly HtmlPart[];

/** Markup with texts put into it; all that is not `Html` already is escaped, in attributes with quotes too. */
export function html(fixed: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  let markup = fixed[0]!;
  parts.forEach((part, i) => (markup += markupOf(part) + fixed[i + 1]!));
  return { markup };
}

function markupOf(part: HtmlPart): string {
  if (typeof part === 'number') return String(part);
  if (typeof part === 'string') return part.replaceAll(/[&<>"']/g, (char) => ENTITIES[char]!);
  return 'markup' in part ? part.markup : part.map(markupOf).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
