import type { ReadStream, WriteStream } from 'node:tty';

/** A terminal that is redrawn in place. */
export interface Screen {
  readonly draw: (lines: readonly string[]) => void;
  /** Gives the terminal back as it was. Safe to call twice and from an exit handler. */
  readonly close: () => void;
}

/** Colour codes, which take no room on the terminal. */
// oxlint-disable-next-line no-control-regex -- ESC begins every colour code.
const COLOUR = /\x1b\[\d+m/g;

/**
 * Takes the terminal's second screen, so that what was there before comes back at the end. A redraw writes one chunk
 * that overwrites line by line and never clears first, so nothing flickers.
 */
export function openScreen(terminal: WriteStream): Screen {
  let open = true;
  terminal.write('\x1b[?1049h\x1b[?25l\x1b[2J');
  return {
    draw(lines) {
      if (!open) return;
      const shown = lines.slice(0, Math.max(1, terminal.rows - 1));
      const text = shown.map((line) => `${clip(line, terminal.columns)}\x1b[K\n`).join('');
      terminal.write(`\x1b[H${text}\x1b[J`);
    },
    close() {
      if (!open) return;
      open = false;
      terminal.write('\x1b[?25h\x1b[?1049l');
    },
  };
}

/** Calls `onKey` for each key; Ctrl-C arrives as `ctrl-c`. Gives back the way to stop listening. */
export function readKeys(terminal: ReadStream, onKey: (key: string) => void): () => void {
  const onData = (data: Buffer): void => {
    for (const key of data.toString('utf8')) onKey(key === '\x03' ? 'ctrl-c' : key);
  };
  terminal.setRawMode(true);
  terminal.on('data', onData);
  terminal.resume();
  return () => {
    terminal.off('data', onData);
    terminal.setRawMode(false);
    terminal.pause();
  };
}

/** Cuts a line to the terminal's width; a line that is cut loses its colour rather than its ending code. */
function clip(line: string, columns: number): string {
  const plain = line.replaceAll(COLOUR, '');
  return plain.length <= columns ? line : plain.slice(0, columns);
}
