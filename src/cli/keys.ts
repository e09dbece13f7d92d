import { statSync } from 'node:fs';
import { Command } from 'commander';
import { newKey, readKeyFile, verifierOf } from '../base/note-key.ts';
import { makeSecretFile } from '../base/secret-file.ts';

/** `comity keys`: keys of signed notes. */
export function keysCommand(): Command {
  return new Command('keys')
    .description('Make and show signing keys (C2SP signed-note, Ed25519).')
    .addCommand(makeCommand())
    .addCommand(showCommand());
}

function makeCommand(): Command {
  return new Command('make')
    .description('Make a key: the secret half goes into a file that you alone can read, the public half is printed.')
    .argument('<name>', 'the key’s name, such as compliance.example')
    .requiredOption('-o, --out <file>', 'where the secret half goes; a file that is there already stays as it is')
    .option('--cosignature', 'a key by which a witness cosigns checkpoints')
    .option('--json', 'print {"name": …, "vkey": …}')
    .action(
      (name: string, options: { readonly out: string; readonly cosignature?: boolean; readonly json?: boolean }) => {
        const { skey, vkey } = newKey(name, options.cosignature === true ? 'cosignature' : 'ed25519');
        makeSecretFile(options.out, 'signing key', Buffer.from(`${skey}\n`));
        process.stdout.write(options.json === true ? `${JSON.stringify({ name, vkey })}\n` : `${vkey}\n`);
      },
    );
}

function showCommand(): Command {
  return new Command('show')
    .description('Print the public half of a key.')
    .argument('<key>', 'a file with a secret key, or a vkey')
    .option('--json', 'print {"name": …, "id": …, "type": …, "vkey": …}')
    .action((key: string, { json }: { readonly json?: boolean }) => {
      const isFile = statSync(key, { throwIfNoEntry: false }) !== undefined;
      const { name, id, type, vkey } = isFile ? readKeyFile(key) : verifierOf(key);
      process.stdout.write(json === true ? `${JSON.stringify({ name, id, type, vkey })}\n` : `${vkey}\n`);
    });
}
