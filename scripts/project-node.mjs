/*
 * Runs a TypeScript file of the project on the project's own Node, and installs the packages first when they are
 * missing or not those of the lock file. This file itself is plain JavaScript for Node 20 and newer, so that a machine
 * with any Node that still gets fixes can start it. Nothing here writes to stdout: that belongs to the program.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the project. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The first version of Node that runs the sources as they are, without flags or warnings. */
const NODE_MAJOR = 24;

/**
 * Runs `file` (absolute) with `args` and ends this process as the program ended: with its exit code, or with
 * 128 + the signal's number. `production: true` does without the development packages where this Node is new enough.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ production?: boolean }} [options]
 */
export function runOnProjectNode(file, args, options = {}) {
  const newEnough = Number(process.versions.node.split('.')[0]) >= NODE_MAJOR;
  const production = options.production === true && newEnough;
  if (!isInstalled(production)) install(production);
  const own = projectNode();
  const child = spawn(existsSync(own) ? own : process.execPath, [file, ...args], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to the child as well; passing it on would look like a second, impatient one.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`cannot start ${own}: ${error.message}; remove node_modules and try again`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

/** Whether node_modules holds what the lock file asks for; npm writes down what it installed. */
function isInstalled(production) {
  const wanted = lockedPackages(join(ROOT, 'package-lock.json'));
  // An installed copy of the project has no lock file; its packages are its installer's business.
  if (wanted === undefined) return true;
  const installed = lockedPackages(join(ROOT, 'node_modules', '.package-lock.json'));
  if (installed === undefined || !(production || existsSync(projectNode()))) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    // Optional packages are left out on platforms that they are not for.
    if (path === '' || entry.optional || entry.devOptional || (production && entry.dev)) continue;
    if (installed[path]?.version !== entry.version) return false;
  }
  return true;
}

function lockedPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function projectNode() {
  return join(ROOT, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

function install(production) {
  const release = takeInstallLock();
  try {
    // Another process may have installed while this one waited for the lock.
    if (isInstalled(production)) return;
    say('installing packages (npm ci), this takes about half a minute …');
    const startedMs = Date.now();
    // The packages' own commands must not come first on the PATH: npm would run on the Node that it is replacing.
    const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !resolve(entry).startsWith(ROOT));
    // npm would look for an absent network for more than a minute.
    const retries = ['--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
    const npm = spawnSync(
      'npm',
      ['ci', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error', ...retries],
      {
        cwd: ROOT,
        env: { ...process.env, PATH: path.join(delimiter) },
        stdio: ['ignore', 2, 2],
        shell: process.platform === 'win32',
      },
    );
    if (npm.error?.code === 'ENOENT') {
      fail('npm is not on the PATH, and the packages are not installed yet; install Node.js with npm (nodejs.org)');
    }
    if (npm.signal) process.exit(128 + constants.signals[npm.signal]);
    if (npm.status !== 0) {
      fail(
        `npm ci failed with code ${npm.status}; its message is above. The first start needs the npm registry: ` +
          'connect the machine, or name a mirror with `npm config set registry URL`, and run the command again',
      );
    }
    if (!isInstalled(production)) {
      fail(
        'npm ci ended well but left no Node for the project in node_modules/node/bin. Its install script downloads it: ' +
          'check that `npm config get ignore-scripts` says false, remove node_modules and run the command again',
      );
    }
    say(`installed in ${((Date.now() - startedMs) / 1000).toFixed(0)} s`);
  } finally {
    release();
  }
}

/** Two commands started at once on a fresh machine must not both replace node_modules. */
function takeInstallLock() {
  const path = join(ROOT, '.cache', 'install.lock');
  mkdirSync(dirname(path), { recursive: true });
  let waiting = false;
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`cannot write ${path}: ${error.message}`);
    }
    if (!isHeld(path)) {
      rmSync(path, { force: true });
      continue;
    }
    if (!waiting) say('waiting for another process that installs packages …');
    waiting = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
  }
  const release = () => rmSync(path, { force: true });
  process.once('exit', release);
  return release;
}

/** Whether the process that wrote the lock still runs. */
function isHeld(path) {
  try {
    process.kill(Number(readFileSync(path, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function say(text) {
  process.stderr.write(`comity: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
