/**
 * A label name from a URL, where clients write names that are no plain identifiers as `U__…` with `_hex_` for a character
 * and `__` for an underscore (https://prometheus.io/docs/instrumenting/escaping_schemes/). Anything that does not read as
 * such stays as it is.
 */
export function unescapeLabelName(name: string): string {
  if (!name.startsWith('U__')) return name;
  const body = name.slice(3);
  if (!/^(?:[A-Za-z0-9:]|__|_[0-9a-fA-F]{1,6}_)*$/.test(body)) return name;
  return body.replaceAll(/__|_([0-9a-fA-F]{1,6})_/g, (whole, hex: string | undefined) => {
    if (hex === undefined) return '_';
    const code = Number.parseInt(hex, 16);
    return code > 0x10_ff_ff ? whole : String.fromCodePoint(code);
  });
}
