/**
 * Reading files of /proc with one crossing of the FFI: a program on this thread opens, reads and closes. Inside a freeze a dozen of them are
 * read for each process, and Node takes several times as long as the kernel.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { interpretLocally } from './interpreter.ts';
import { NativeMemory } from './native.ts';
import { Program } from './program.ts';

const AT_FDCWD = -100;
const O_CLOEXEC = 0o2000000;
const LONGEST_PATH = 256;
/** Such files are handed out in pieces of a page at most, some less. */
const PIECE = 4096;
/** Longer files take further crossings. */
const PIECES = 8;
/** Bytes before the pieces: records and path. */
const HEAD = 4096;

/** A program that reads the file whose path stands in its data. */
class Reader {
  private readonly memory = NativeMemory.allocate(HEAD + PIECES * PIECE);
  private readonly bytes = Buffer.from(this.memory.bytes.buffer, 0, HEAD + PIECES * PIECE);
  private readonly program = new Program(this.memory.address, { records: 2 * PIECES + 4, data: LONGEST_PATH });
  private readonly path: number;
  private readonly pieces: readonly number[];

  constructor() {
    const { program } = this;
    const path = program.data(LONGEST_PATH);
    this.path = path - program.base;
    const open = program.tryCall('openat', AT_FDCWD, path, O_CLOEXEC, 0);
    const first = open + 1 + PIECES + 1;
    for (let n = 0; n <= PIECES; n++) program.forwardResult(open, first + n, 0);
    this.pieces = Array.from({ length: PIECES }, (_, n) => program.tryCall('read', 0, this.memory.address + HEAD + n * PIECE, PIECE));
    program.tryCall('close', 0);
    program.operation('return');
    this.memory.bytes.set(program.image.subarray(0, program.usedSize));
  }

  /** @returns undefined when the file cannot be read, or whether all of it is in `text` */
  read(path: string): { text: string; isWhole: boolean } | undefined {
    const length = this.bytes.write(path, this.path, 'latin1');
    this.bytes[this.path + length] = 0;
    interpretLocally(this.memory.address);
    let text = '';
    for (let n = 0; n < PIECES; n++) {
      const result = this.resultOf(n);
      if (result < 0) return undefined;
      if (result === 0) return { text, isWhole: true };
      text += this.bytes.toString('latin1', HEAD + n * PIECE, HEAD + n * PIECE + result);
    }
    return { text, isWhole: false };
  }

  private resultOf(piece: number): number {
    return this.memory.view.getInt32(this.program.addressOfResult(this.pieces[piece] ?? 0) - this.program.base, true);
  }
}

let reader: Reader | undefined;

/** The text of a file of /proc or /sys, byte by byte; undefined when it cannot be read. @param path plain ASCII */
export function readSmallFile(path: string): string | undefined {
  if (path.length >= LONGEST_PATH) return readLongFile(path);
  reader ??= new Reader();
  const found = reader.read(path);
  return found === undefined || found.isWhole ? found?.text : readLongFile(path);
}

const CHUNK = 1 << 20;

/** One sequence of reads from the beginning: such files have no length. */
function readLongFile(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const buffer = Buffer.allocUnsafe(CHUNK);
    const parts: string[] = [];
    for (let used = 0; ; ) {
      const count = readSync(file, buffer, used, CHUNK - used, null);
      used += count;
      if (count > 0 && used < CHUNK) continue;
      parts.push(buffer.toString('latin1', 0, used));
      if (count === 0) return parts.join('');
      used = 0;
    }
  } catch {
    return undefined; // the process has ended
  } finally {
    closeSync(file);
  }
}
