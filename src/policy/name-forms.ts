/**
 * Forms in which names that mean the same are equal: `user.id`, `user_id`, `userId` and `exported_user_id`. Tables are
 * looked up by them; what is stored keeps its own name. Both take time linear in the name.
 */

/** Letters and digits alone, in lower case: `client.address`, `clientAddress` and `client_address` are `clientaddress`. */
export function wordForm(name: string): string {
  return withoutExported(plain(name))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '');
}

/** Words in lower case with one underscore between them: `geo.` and `exported_geo_` are both `geo_`. */
export function prefixForm(name: string): string {
  return withoutExported(plain(name))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_');
}

/** The name of a label before a scrape or a domain label pushed it aside. */
export function withoutExported(name: string): string {
  let at = 0;
  while (name.startsWith('exported_', at)) at += 'exported_'.length;
  return name.slice(at);
}

/**
 * What `make` gives for a name, made once for a name in use. Senders use few distinct names; one that makes up new ones
 * only empties the memory, which holds a bounded number of short names.
 */
export function rememberByName<T>(make: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const made = make(name);
    if (name.length <= REMEMBERED_CHARS) {
      if (known.size >= REMEMBERED_NAMES) known.clear();
      known.set(ownCopy(name), made);
    }
    return made;
  };
}

const REMEMBERED_NAMES = 4096;
const REMEMBERED_CHARS = 128;

/** The same text in memory of its own: a part that was cut out of a request's body would keep all of it alive. */
export function ownCopy(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

/**
 * Names that Prometheus escaped for a reader of old names, as they were: `U__user_2e_id`, and `user_dot_id`
 * (https://prometheus.io/docs/instrumenting/escaping_schemes/).
 */
function plain(name: string): string {
  if (name.startsWith('U__')) {
    return name.slice(3).replace(/__|_([0-9a-f]{1,6})_/gi, (_, hex?: string) => codePoint(hex));
  }
  return name.replaceAll('_dot_', '.');
}

function codePoint(hex: string | undefined): string {
  const code = hex === undefined ? 0x5f : Number.parseInt(hex, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : '_';
}
