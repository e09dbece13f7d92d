import { posix } from 'node:path';
import { parseAst } from 'vitest/node';

/** A file of the project as text; `path` is relative to the root and has `/` between its parts. */
export interface ProjectFile {
  readonly path: string;
  readonly text: string;
}

/** What the rules look at in a TypeScript or JavaScript file. */
export interface SourceFile {
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  /** Lines of the statements that export a default. */
  readonly defaultExports: readonly number[];
  /** Whether it has statements, and all of them hand on what other files export. */
  readonly isBarrel: boolean;
  /** Types that values are cast to, as written. */
  readonly casts: readonly { readonly type: string; readonly line: number }[];
}

/** One reference to another module: a static or dynamic import, `export … from`, an import type, or a worker's URL. */
export interface Import {
  /** The path from the root for a relative import, otherwise the specifier as it is. */
  readonly target: string;
  readonly line: number;
  /** Whether it is gone when the types are stripped. */
  readonly typeOnly: boolean;
  /** What is imported by name; empty for anything but `import { … }`. */
  readonly names: readonly string[];
}

/** A node of the ESTree that the parser makes, as far as all nodes are alike. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Reads a source file. Throws when it does not parse. */
export function readSource({ path, text }: ProjectFile): SourceFile {
  const lang = path.endsWith('.d.ts') ? 'dts' : path.endsWith('.ts') ? 'ts' : 'js';
  const program = parseAst(text, { lang }) as unknown as Node & { readonly body: readonly Node[] };
  const lineOf = (node: Node) => text.slice(0, node.start).split('\n').length;
  const imports: Import[] = [];
  const casts: { type: string; line: number }[] = [];
  const defaultExports = program.body.filter(exportsDefault).map(lineOf);
  visit(program, (node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) {
      const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier;
      imports.push({ target, line: lineOf(node), typeOnly: isTypeOnly(node), names: namesOf(node) });
    }
    if (node.type === 'TSAsExpression' || node.type === 'TSTypeAssertion') {
      const type = node['typeAnnotation'];
      if (isNode(type)) casts.push({ type: text.slice(type.start, type.end), line: lineOf(node) });
    }
  });
  const isBarrel = program.body.some(isReexport) && program.body.every((node) => isReexport(node) || isImport(node));
  return { path, lines: text.split('\n').length - 1, imports, defaultExports, isBarrel, casts };
}

function visit(node: Node, see: (node: Node) => void): void {
  see(node);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? (value as unknown[]) : [value]) if (isNode(child)) visit(child, see);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function isImport(node: Node): boolean {
  return node.type === 'ImportDeclaration';
}

/** `export … from`, or a list of exports that are declared elsewhere if nothing is declared in this file. */
function isReexport(node: Node): boolean {
  if (node.type === 'ExportAllDeclaration') return true;
  return node.type === 'ExportNamedDeclaration' && !isNode(node['declaration']) && specifiersOf(node).length > 0;
}

function exportsDefault(node: Node): boolean {
  return (
    node.type === 'ExportDefaultDeclaration' || specifiersOf(node).some((one) => nameOf(one['exported']) === 'default')
  );
}

/** The module that a node refers to, when it is a string in the source. */
function specifierOf(node: Node): string | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return stringOf(node['source']);
    case 'NewExpression': {
      // new URL('./worker.ts', import.meta.url): how a worker's or a child's program is named.
      const args = node['arguments'] as readonly unknown[];
      const specifier = nameOf(node['callee']) === 'URL' && args.length === 2 ? stringOf(args[0]) : undefined;
      return specifier !== undefined && /^\.\.?\/.*\.m?[jt]s$/.test(specifier) ? specifier : undefined;
    }
    default:
      return undefined;
  }
}

function isTypeOnly(node: Node): boolean {
  if (node.type === 'TSImportType' || node['importKind'] === 'type' || node['exportKind'] === 'type') return true;
  const specifiers = specifiersOf(node);
  return (
    specifiers.length > 0 && specifiers.every((one) => one['importKind'] === 'type' || one['exportKind'] === 'type')
  );
}

function namesOf(node: Node): string[] {
  return specifiersOf(node).flatMap((one) => nameOf(one['imported'] ?? one['local']) ?? []);
}

function specifiersOf(node: Node): readonly Node[] {
  return (node['specifiers'] as readonly Node[] | undefined) ?? [];
}

function stringOf(node: unknown): string | undefined {
  return isNode(node) && node.type === 'Literal' && typeof node['value'] === 'string' ? node['value'] : undefined;
}

/** The name of an identifier, or of an export that is named by a string. */
function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  return typeof node['name'] === 'string' ? node['name'] : stringOf(node);
}
