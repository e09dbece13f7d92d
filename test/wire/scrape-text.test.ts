import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { expose, OPEN_METRICS, shown, TEXT } from './scrape-rows.ts';

function check(body: string | Buffer, want: readonly string[], contentType = TEXT): void {
  const { rows, error } = expose(body, contentType);
  expect(error).toBeUndefined();
  expect(rows.map(shown)).toEqual(want);
}

function refuses(body: string | Buffer, message: string, contentType = TEXT): void {
  expect(expose(body, contentType).error).toContain(message);
}

describe('text format', () => {
  test.each<[string, string[]]>([
    ['foo 1', ['foo{} 1']],
    ['foo 1\n', ['foo{} 1']],
    ['\n  \nfoo{} 1\n\n', ['foo{} 1']],
    ['foo { a = "b" , c = "d" , } 1 23 \n', ['foo{a=b,c=d} 1 @23']],
    ['foo{a="b" c="d"} 1', ['foo{a=b,c=d} 1']],
    ['foo{c="d",a="b"}1', ['foo{a=b,c=d} 1']],
    ['foo{a="x\ny"} 1', ['foo{a=x\ny} 1']],
    ['foo{a="x\\n\\"\\\\\\q"} 1', ['foo{a=x\n"\\\\q} 1']],
    ['foo{a="é\\é"} 1', ['foo{a=é\\é} 1']],
    ['foo{a=""} 1', ['foo{} 1']],
    ['foo{a="1",a=""} 1', ['foo{} 1']],
    ['{"foo"} 1', ['foo{} 1']],
    ['{"fo.o",a="b"} 1', ['fo.o{a=b} 1']],
    ['{a="b","fo o",} 1', ['fo o{a=b} 1']],
    ['{"a\\"\\n"} 1', ['a"\n{} 1']],
    ['foo{"x.y"="z"} 1', ['foo{x.y=z} 1']],
    [':a:1 1', [':a:1{} 1']],
    // Prometheus makes blanks before a name part of it.
    ['  foo 1', ['  foo{} 1']],
    [
      'a +Inf\nb -inf 3\nc NaN\nd infinity\ne -0',
      ['a{} Infinity', 'b{} -Infinity @3', 'c{} NaN', 'd{} Infinity', 'e{} -0'],
    ],
    [
      'a .5\nb 5.\nc 1e3\nd 0.1\ne 123456789012345678',
      ['a{} 0.5', 'b{} 5', 'c{} 1000', 'd{} 0.1', 'e{} 123456789012345680'],
    ],
    ['# HELP foo\n# HELP\n#\n# \n#x\n# TYPEx y\n#TYPE z\nfoo 1', ['foo{} 1']],
    ['foo 1 00000000000000000000000000000000001', ['foo{} 1 @1']],
    ['foo 1\n\0what follows a zero is not read', ['foo{} 1']],
    ['# a zero \0 in a comment\nfoo{a="\0"} 1', ['foo{a=\0} 1']],
  ])('reads %j', (body, want) => check(body, want));

  test.each([
    ['foo', 'line 1, column 4: expected a number, found the end of the line'],
    ['foo{a="b"', 'line 1, column 10: expected a label name or "}"'],
    ['ok 1\nfoo{a="b', 'line 2, column 7: expected a label value in quotes that are closed'],
    ['foo{a="x\\\ny"} 1', 'expected what the backslash escapes'],
    ['foo{a} 1', 'line 1, column 6: expected "=" after the label name, found "}"'],
    ['foo{a=b} 1', 'expected a label value in quotes'],
    ['foo{,} 1', 'expected a label name'],
    ['foo{a="b",,} 1', 'expected a label name'],
    ['foo{a:b="c"} 1', 'expected "=" after the label name'],
    ['foo{"bar"} 1', 'has a metric name already'],
    ['{a="b"} 1', 'has no metric name'],
    ['{""} 1', 'has no metric name'],
    ['foo{__name__="x"} 1', 'two labels "__name__"'],
    ['foo{__name__=""} 1', 'has no metric name'],
    ['foo{é="1"} 1', 'line 1, column 5: expected a label name'],
    ['foo{"é"="1",a="1",a="2"} 1', 'two labels "a"'],
    ['foo{""="x"} 1', 'a label without a name'],
    ['foo{"a\0"="x"} 1', 'a name in quotes that are closed'],
    ['foo 0x1p2', 'expected a number'],
    ['foo 1_0', 'expected a number'],
    ['foo 1e400', 'expected a number'],
    ['foo +nan', 'expected a number'],
    ['foo .', 'expected a number'],
    ['foo 1\r\n', 'line 1, column 5: expected a number'],
    ['foo 1 -5', 'expected a time in milliseconds'],
    // What a target says by mistake is not said again.
    ["foo{password='hunter2'} 1", 'line 1, column 14: expected a label value in quotes, found "\'"'],
    ['foo 1 5 6', 'line 1, column 9: expected the end of the line after the time, found text'],
    ['foo 1 9223372036854775808', 'expected a time in milliseconds'],
    ['foo 1 # x', 'expected a time in milliseconds'],
    ['"foo" 1', 'expected a metric name'],
    ['1foo 1', 'expected a metric name'],
    ['# TYPE foo\n', 'expected one of the types counter, gauge, histogram, summary, untyped'],
    ['# TYPE foo info\n', 'expected one of the types'],
    ['# TYPE foo  counter\n', 'expected one of the types'],
    ['# TYPE foo counter\r\n', 'expected one of the types'],
    ['# HELP \n', 'expected a metric name after HELP'],
    ['# HELP foo\0 bar\n', 'expected a blank and the text'],
  ])('refuses %j', (body, message) => refuses(body, message));

  test('refuses what is no UTF-8', () => {
    for (const body of [
      'foo{a="\xff"} 1',
      '{"\xff"} 1',
      'foo{"\xff"="x"} 1',
      '# HELP foo \xff\n',
      'foo{a="\\\xff"} 1',
    ]) {
      refuses(Buffer.from(body, 'latin1'), 'no valid UTF-8');
    }
  });

  test('numbers in labels take one form, by the type declared last', () => {
    check(
      '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1e6"} 2\nh_bucket{le="+inf"} 3\nh_bucket{le="x"} 4\n' +
        'g{le="0.50"} 5\n# TYPE s summary\ns{quantile="0.50"} 6\ns{le="1"} 7\n# TYPE g gauge\ng{le="1"} 8\n',
      [
        'h_bucket{le=1.0} 1',
        'h_bucket{le=1e+06} 2',
        'h_bucket{le=+Inf} 3',
        'h_bucket{le=x} 4',
        'g{le=0.5} 5',
        's{quantile=0.5} 6',
        's{le=1} 7',
        'g{le=1} 8',
      ],
    );
  });

  test('metadata', () => {
    const { metadata } = expose(
      '# HELP a First\\nline \\\\ \\" end\n# TYPE a counter\na 1\n#\tTYPE\t"b c"\tuntyped\n# HELP d  two blanks\n# TYPE e gauge\n# HELP e \n',
    );
    expect(metadata).toEqual([
      { metric: 'a', type: 'counter', help: 'First\nline \\ \\" end', unit: '' },
      { metric: 'b c', type: 'unknown', help: '', unit: '' },
      { metric: 'd', type: 'unknown', help: ' two blanks', unit: '' },
      { metric: 'e', type: 'gauge', help: '', unit: '' },
    ]);
  });

  test('a help text is cut between characters', () => {
    const { metadata } = expose(`# HELP a x${'é'.repeat(LIMITS.helpBytes)}\n`);
    expect(metadata[0]?.help).toBe(`x${'é'.repeat((LIMITS.helpBytes - 2) / 2)}`);
  });

  test('a series has the key of its bytes', () => {
    const { rows } = expose('foo{a="b"} 1\nfoo{ a="b"} 2\nfoo{a="b"} 3\nfoo 4');
    expect(rows.map((row) => row.key)).toEqual(['foo{a="b"}', 'foo{ a="b"}', 'foo{a="b"}', 'foo']);
  });
});

describe('OpenMetrics', () => {
  const om = (body: string) => `${body}\n# EOF\n`;

  test.each<[string, string[]]>([
    ['# EOF', []],
    ['# EOF\n', []],
    ['foo 1\n# EOF', ['foo{} 1']],
    [om('foo 1 1.5'), ['foo{} 1 @1500']],
    [om('foo 1 -1.0018'), ['foo{} 1 @-1001']],
    [om('foo 1 1.0018'), ['foo{} 1 @1001']],
    [om('foo{} 1'), ['foo{} 1']],
    [om('foo{a="b",} 1'), ['foo{a=b} 1']],
    [om('{"a.b",c="d"} 1'), ['a.b{c=d} 1']],
    [om('foo{a="\\n\\"\\\\"} 1'), ['foo{a=\n"\\} 1']],
    [om('# TYPE foo counter\nfoo_total 1\nfoo_created 12.5'), ['foo_total{} 1', 'foo_created{} 12.5']],
    [
      om(
        '# TYPE a stateset\na{a="x"} 1\n# TYPE b info\nb_info{x="y"} 1\n# TYPE g gaugehistogram\ng_bucket{le="1"} 1\ng_gcount 1\ng_gsum 2',
      ),
      ['a{a=x} 1', 'b_info{x=y} 1', 'g_bucket{le=1} 1', 'g_gcount{} 1', 'g_gsum{} 2'],
    ],
    [
      om('# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1'),
      ['h_bucket{le=1.0} 1', 'h_bucket{le=+Inf} 1'],
    ],
  ])('reads %j', (body, want) => check(body, want, OPEN_METRICS));

  test.each([
    ['foo 1\n', 'line 2, column 1: expected "# EOF" as the last line, found the end of the body'],
    ['# EOF\n\n', 'expected nothing after # EOF'],
    ['# EOFx', 'expected nothing after # EOF'],
    [om('\n'), 'expected a metric name'],
    [om(' foo 1'), 'expected a metric name'],
    [om('# comment'), 'expected "# HELP "'],
    [om('foo  1'), 'expected a number'],
    [om('foo 1 '), 'expected a time in seconds'],
    [om('foo 1 NaN'), 'expected a time in seconds'],
    [om('foo 1 1 2'), 'expected an exemplar'],
    [om('foo {a="b"} 1'), 'expected a number'],
    [om('foo{a="b" } 1'), 'expected "," or "}"'],
    [om('foo{a="b"c="d"} 1'), 'expected "," or "}"'],
    [om('foo{a="x\ny"} 1'), 'in quotes that are closed'],
    [om('foo 1\r'), 'expected a number'],
    [om('# HELP foo'), 'expected a space and a text'],
    [om('# HELP  foo x'), 'expected a metric name'],
    [om('# TYPE foo untyped'), 'expected one of the types'],
    [om('# UNIT foo_seconds second'), 'expected the unit that the name'],
    [om('# UNIT seconds seconds'), 'expected the unit that the name'],
    [om('foo_total 1 # {a="b"}'), "expected a space and the exemplar's value"],
    [om('foo_total 1 # {"a"} 1'), 'expected "=" after the label name'],
    [om('foo_total 1 # {a="b"} 1 2 3'), 'expected the end of the line after the exemplar'],
    [om('foo_total 1 #{a="b"} 1'), 'expected a time in seconds'],
    ['foo_total 1 # {a="', 'in quotes that are closed'],
    ['foo{a="', 'in quotes that are closed'],
  ])('refuses %j', (body, message) => refuses(body, message, OPEN_METRICS));

  test('exemplars', () => {
    const { rows } = expose(
      om(
        '# TYPE foo counter\nfoo_total 1 # {trace_id="x",b="\\\\"} 0.5 12.345\nfoo_total{a="b"} 2 3 # {} 4\nbar 1 # {"a b"="c"} NaN',
      ),
      OPEN_METRICS,
    );
    expect(rows.map((row) => row.exemplars)).toEqual([
      [{ labels: { trace_id: 'x', b: '\\' }, value: 0.5, timeMs: 12345 }],
      [{ labels: {}, value: 4, timeMs: undefined }],
      [{ labels: { 'a b': 'c' }, value: NaN, timeMs: undefined }],
    ]);
  });

  test('metadata with units', () => {
    const { metadata } = expose(
      om('# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds x\\"y\na_seconds 1'),
      OPEN_METRICS,
    );
    expect(metadata).toEqual([{ metric: 'a_seconds', type: 'gauge', help: 'x"y', unit: 'seconds' }]);
  });

  test('_created says when the samples of its metric started', () => {
    const { rows } = expose(
      om(
        '# TYPE c counter\nc_total{a="1"} 1\nc_created{a="1"} 100.5\nc_total{a="2"} 1\nc_total{a="3"} 1\nc_created{a="3"} 300\n' +
          '# TYPE h histogram\nh_bucket{a="x",le="1"} 1\nh_bucket{a="x",le="+Inf"} 1\nh_count{a="x"} 1\nh_created{a="x"} 7\nh_sum{a="x"} 1\n' +
          '# TYPE s summary\ns{quantile="0.5"} 1\ns_count 1\ns_sum 1\ns_created 8\n' +
          '# TYPE g gauge\ng 1\ng_created 9\n# TYPE q counter\n{"q.r_total"} 1\n{"q.r_created"} 5\n' +
          '# TYPE "q.r" counter\n{"q.r_total"} 1\n{"q.r_created"} 5',
      ),
      OPEN_METRICS,
    );
    expect(rows.map(({ labels, startMs }) => `${labels['__name__']} ${startMs}`)).toEqual([
      'c_total 100500',
      'c_created 0',
      'c_total 0',
      'c_total 300000',
      'c_created 0',
      'h_bucket 7000',
      'h_bucket 7000',
      'h_count 7000',
      'h_created 0',
      'h_sum 7000',
      's 8000',
      's_count 8000',
      's_sum 8000',
      's_created 0',
      'g 0',
      'g_created 0',
      'q.r_total 0',
      'q.r_created 0',
      'q.r_total 5000',
      'q.r_created 0',
    ]);
  });
});
