import { expect, test } from 'vitest';
import { randomFrom, type Random } from '../random.ts';
import { delimited, randomFamilies } from './scrape-families.ts';
import { randomText } from './scrape-lines.ts';
import { expose, OPEN_METRICS, PROTOBUF, TEXT } from './scrape-rows.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = 4000;

test('broken bodies are refused or read, in bounded time, and nothing else is thrown', () => {
  console.log(`seed ${SEED}`);
  let refused = 0;
  let read = 0;
  for (let run = 0; run < RUNS; run++) {
    const random = randomFrom(SEED).fork(run);
    const contentType = random.pick([TEXT, OPEN_METRICS, PROTOBUF]);
    const whole =
      contentType === PROTOBUF
        ? delimited(...randomFamilies(random, 1e12))
        : randomText(random, contentType === OPEN_METRICS);
    const options = {
      keepClassic: random.chance(0.3),
      toCustomBuckets: random.chance(0.3),
      ignoreNative: random.chance(0.2),
    };
    const { error, rows } = expose(mutated(random, whole, contentType === PROTOBUF), contentType, options);
    if (error === undefined) read++;
    else refused++;
    for (const row of rows) expect(row.labels['__name__']).toBeTruthy();
    if (error !== undefined) expect(error).toMatch(/line \d+, column \d+: |byte \d+ of |a classic histogram has more/);
  }
  // Both must happen often for the test to mean anything.
  expect(refused).toBeGreaterThan(RUNS / 20);
  expect(read).toBeGreaterThan(RUNS / 20);
});

test('bodies that would take quadratic time or much memory do not', () => {
  const many = 200_000;
  const bodies: [string, string][] = [
    [`foo{${'a="b",'.repeat(many)}`, TEXT],
    [`foo{${Array.from({ length: many / 10 }, (_, i) => `l${i}="b"`).join(',')}} 1`, TEXT],
    [`foo{a="${'\\"'.repeat(many)}`, TEXT],
    ['{'.repeat(many), TEXT],
    ['\n'.repeat(many), TEXT],
    [' '.repeat(many), TEXT],
    ['#\n'.repeat(many), TEXT],
    ['# HELP a b\n'.repeat(many), TEXT],
    [`foo ${'1'.repeat(many)}`, TEXT],
    [`foo 1 ${'9'.repeat(many)}`, TEXT],
    [`foo{a="${'\0'.repeat(many)}`, TEXT],
    [
      `# TYPE h histogram\n${Array.from({ length: many / 4 }, (_, i) => `h_bucket{le="${many - i}"} 1\n`).join('')}`,
      TEXT,
    ],
    [`# TYPE c counter\n${'c_total{a="b"} 1\n'.repeat(many)}c_created 1\n# EOF`, OPEN_METRICS],
    [
      `# TYPE c counter\n${Array.from({ length: many / 4 }, (_, i) => `c_total{a="${i}"} 1\nc_created{a="${i}"} 1\n`).join('')}# EOF`,
      OPEN_METRICS,
    ],
    [`# TYPE c counter\nc_created 1\n${'c_total 1\n#'.repeat(2)}${'x\n'.repeat(many)}`, OPEN_METRICS],
  ];
  for (const [body, contentType] of bodies) {
    const started = process.cpuUsage();
    expose(body, contentType, { keepClassic: true, toCustomBuckets: true });
    const { user } = process.cpuUsage(started);
    // Each is some tenths of a second at the most; quadratic ones would take minutes.
    expect([body.slice(0, 30), user / 1e6 < 5]).toEqual([body.slice(0, 30), true]);
  }
}, 60_000);

const SYNTAX = Array.from(Buffer.from(' \t\n"\\{},=#_:aAeE09.+-\r\0'));

/** Half of the bodies stay whole. */
function mutated(random: Random, body: Buffer, binary: boolean): Buffer {
  let bytes = Buffer.from(body);
  for (let i = random.int(-2, 3); i > 0 && bytes.length > 0; i--) {
    const at = random.int(0, bytes.length - 1);
    const length = random.int(1, 8);
    const action = random.int(0, 3);
    if (action === 0) bytes[at] = binary ? random.int(0, 255) : random.pick(SYNTAX);
    else if (action === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    else if (action === 2) bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    else if (random.chance(0.3)) bytes = bytes.subarray(0, at);
  }
  return bytes;
}
