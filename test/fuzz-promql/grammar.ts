/** What an expression gives. */
export type Type = 'scalar' | 'vector' | 'matrix' | 'string';

/** A tree of PromQL as text will show it: durations, numbers and matchers stay as they are written. */
export type Node = Literal | Selector | Subquery | Call | Aggregate | Binary | Unary | Paren;

export interface Literal {
  readonly kind: 'literal';
  readonly text: string;
}

/** What stands behind a selector or a subquery. */
export interface Time {
  /** `1234.5`, `start()` or `end()`. */
  readonly at?: string;
  readonly offset?: string;
  readonly offsetFirst?: boolean;
}

export interface Selector {
  readonly kind: 'selector';
  /** In front of the braces; undefined where the name is within or there is none. */
  readonly name?: string;
  readonly matchers: readonly string[];
  readonly range?: string;
  readonly extended?: 'anchored' | 'smoothed';
  readonly time: Time;
}

export interface Subquery {
  readonly kind: 'subquery';
  readonly expr: Node;
  readonly range: string;
  readonly step?: string;
  readonly time: Time;
}

export interface Call {
  readonly kind: 'call';
  readonly func: string;
  readonly args: readonly Node[];
}

export interface Grouping {
  readonly without: boolean;
  readonly labels: readonly string[];
}

export interface Aggregate {
  readonly kind: 'aggregate';
  readonly op: string;
  readonly expr: Node;
  readonly param?: Node;
  readonly grouping?: Grouping;
}

export interface Matching {
  /** Undefined where only a group modifier's or a fill's default is meant. */
  readonly on?: boolean;
  readonly labels: readonly string[];
  readonly group?: 'group_left' | 'group_right';
  readonly include?: readonly string[];
  /** `fill (0)`, `fill_left (1) fill_right (2)`, … */
  readonly fill?: string;
}

export interface Binary {
  readonly kind: 'binary';
  readonly op: string;
  readonly left: Node;
  readonly right: Node;
  readonly bool?: boolean;
  readonly matching?: Matching;
  /** Operands stand without parentheses: precedence may make another tree of the text. */
  readonly bare?: boolean;
}

export interface Unary {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly expr: Node;
}

export interface Paren {
  readonly kind: 'paren';
  readonly expr: Node;
}

export function literal(value: number | string): Literal {
  return { kind: 'literal', text: String(value) };
}

export function call(func: string, ...args: readonly Node[]): Call {
  return { kind: 'call', func, args };
}

export function paren(expr: Node): Paren {
  return { kind: 'paren', expr };
}

/** The tree as a query. Operands of operators stand in parentheses unless they need none. */
export function print(node: Node): string {
  switch (node.kind) {
    case 'literal':
      return node.text;
    case 'selector':
      return printSelector(node);
    case 'subquery':
      return `${operand(node.expr)}[${node.range}:${node.step ?? ''}]${printTime(node.time)}`;
    case 'call':
      return `${node.func}(${node.args.map(print).join(', ')})`;
    case 'aggregate': {
      const { op, expr, param, grouping } = node;
      const by = grouping === undefined ? '' : ` ${grouping.without ? 'without' : 'by'} (${labels(grouping.labels)}) `;
      return `${op}${by}(${param === undefined ? '' : `${print(param)}, `}${print(expr)})`;
    }
    case 'binary': {
      const side = node.bare === true ? print : operand;
      return `${side(node.left)} ${node.op}${printModifiers(node)} ${side(node.right)}`;
    }
    case 'unary':
      return `${node.op}${operand(node.expr)}`;
    case 'paren':
      return `(${print(node.expr)})`;
  }
}

/** The direct parts of a node. */
export function children(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'literal':
    case 'selector':
      return [];
    case 'subquery':
    case 'unary':
    case 'paren':
      return [node.expr];
    case 'call':
      return node.args;
    case 'aggregate':
      return node.param === undefined ? [node.expr] : [node.param, node.expr];
    case 'binary':
      return [node.left, node.right];
  }
}

/** The node with each direct part replaced. */
export function mapChildren(node: Node, map: (child: Node) => Node): Node {
  switch (node.kind) {
    case 'literal':
    case 'selector':
      return node;
    case 'subquery':
    case 'unary':
    case 'paren':
      return { ...node, expr: map(node.expr) };
    case 'call':
      return { ...node, args: node.args.map(map) };
    case 'aggregate': {
      const expr = map(node.expr);
      return node.param === undefined ? { ...node, expr } : { ...node, expr, param: map(node.param) };
    }
    case 'binary':
      return { ...node, left: map(node.left), right: map(node.right) };
  }
}

export function* walk(node: Node): Generator<Node> {
  yield node;
  for (const child of children(node)) yield* walk(child);
}

export function quoted(text: string): string {
  return JSON.stringify(text);
}

function operand(node: Node): string {
  return node.kind === 'binary' || node.kind === 'unary' ? `(${print(node)})` : print(node);
}

function printSelector({ name = '', matchers, range, extended, time }: Selector): string {
  const braces = matchers.length > 0 || name === '' ? `{${matchers.join(',')}}` : '';
  const window = range === undefined ? '' : `[${range}]`;
  return `${name}${braces}${window}${extended === undefined ? '' : ` ${extended}`}${printTime(time)}`;
}

function printTime({ at, offset, offsetFirst }: Time): string {
  const parts = [at === undefined ? '' : ` @ ${at}`, offset === undefined ? '' : ` offset ${offset}`];
  return (offsetFirst === true ? parts.reverse() : parts).join('');
}

function printModifiers({ bool, matching }: Binary): string {
  let text = bool === true ? ' bool' : '';
  if (matching === undefined) return text;
  if (matching.on !== undefined) text += ` ${matching.on ? 'on' : 'ignoring'} (${labels(matching.labels)})`;
  if (matching.group !== undefined) {
    text += ` ${matching.group}${matching.include === undefined ? '' : ` (${labels(matching.include)})`}`;
  }
  return matching.fill === undefined ? text : `${text} ${matching.fill}`;
}

function labels(names: readonly string[]): string {
  return names.map((name) => (/^[A-Za-z_]\w*$/.test(name) ? name : quoted(name))).join(', ');
}
