/** What an acceptor has promised and accepted, on disk: it must never forget it, whatever happens to its daemon or its machine. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { acceptedSchema, ballotSchema } from './register-calls.ts';
import type { AcceptorState } from './register.ts';
import type { View } from './view.ts';

const stateSchema = z.object({ promised: ballotSchema, accepted: acceptedSchema.optional() });

export class AcceptorFile {
  private readonly path: string;

  /** @param path of the file; its directory exists */
  constructor(path: string) {
    this.path = path;
  }

  /** Undefined when there is no such file: this node has never been asked. @throws Error for one that is damaged */
  read(): AcceptorState<View> | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    const { promised, accepted } = stateSchema.parse(JSON.parse(text));
    return { promised, accepted };
  }

  /** It is on the disk when this returns. */
  write(state: AcceptorState<View>): void {
    const next = `${this.path}.next`;
    const file = openSync(next, 'w', 0o600);
    try {
      writeSync(file, JSON.stringify(state));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(next, this.path);
    // The new name, too: rename(2) alone may be lost with the machine's power.
    const directory = openSync(dirname(this.path), 'r');
    fsyncSync(directory);
    closeSync(directory);
  }
}
