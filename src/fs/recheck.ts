/**
 * Whether the descriptor tables of frozen processes are still what a survey found while they ran: two programs on this thread, prepared
 * before the freeze, with a few records for each descriptor. The first asks what a running program changes often; the second what takes
 * longer and is seldom otherwise.
 */
import { AT_FDCWD, FCNTL, onThisThread, OPEN, parseStatus, Program, SEEK, STAT_SIZE } from '../linux/index.ts';
import type { ProcessFiles } from './image.ts';
import { FIRST_LOOK, parseLook, type DescriptorTable, type OpenFile, type Survey } from './survey.ts';

const KCMP_FILE = 0;
const LINK_SIZE = 4200;
/** The mask stands in the second line, after the name. */
const STATUS_SIZE = 160;
const OWNER_SIZE = 8;
const LONGEST_PATH = 64;
const RECORDS_PER_PROCESS = 10;
const RECORDS_PER_TEXT = 5;
const DATA_PER_PROCESS = 3 * STAT_SIZE + 2 * LINK_SIZE + STATUS_SIZE + 512;

/** Looks at results; true when nothing has changed. */
type Check = () => boolean;

/** A program and what must be true of its results. */
class Questions {
  readonly program: Program;
  private readonly checks: Check[] = [];

  constructor(capacity: { records: number; data: number }) {
    this.program = new Program(onThisThread().address, { ...capacity, records: capacity.records + 1 });
  }

  expect(check: Check): void {
    this.checks.push(check);
  }

  expectZero(record: number): void {
    this.checks.push(() => this.program.result(record) === 0);
  }

  /** Asks for the beginning of a file. @returns how to read the answer */
  text(path: string, size: number): () => string {
    const { program } = this;
    const buffer = program.data(size);
    const open = program.tryCall('openat', AT_FDCWD, program.string(path), OPEN.closeOnExec, 0);
    program.forwardResult(open, open + 3, 0);
    program.forwardResult(open, open + 4, 0);
    const read = program.tryCall('read', 0, buffer, size);
    program.tryCall('close', 0);
    return () => Buffer.from(program.bytesAt(buffer, Math.max(0, program.result(read)))).toString('latin1');
  }

  /** Runs the program. To be called once. */
  areUnchanged(): boolean {
    onThisThread().run(this.program);
    return this.checks.every((check) => check());
  }
}

export class Recheck {
  private readonly first: Questions;
  private readonly second: Questions;
  private readonly positions: { readonly file: OpenFile; readonly record: number }[] = [];

  /** @param captured the tables as they were captured, in the order of the survey */
  constructor({ tables, files }: Survey, captured: readonly ProcessFiles[]) {
    const entries = tables.reduce((sum, table) => sum + table.entries.length, 0);
    const held = files.filter(({ holders }) => holders.length > 0);
    this.first = new Questions({
      records: tables.length * RECORDS_PER_PROCESS + entries + held.length * 2,
      data: tables.length * DATA_PER_PROCESS,
    });
    for (const [n, table] of tables.entries()) this.askTable(table, captured[n]?.umask ?? -1);
    for (const file of held) if ((file.flags & OPEN.path) === 0) this.askPosition(file);
    this.second = new Questions({
      records: entries * RECORDS_PER_TEXT + held.length,
      data: entries * (FIRST_LOOK + LONGEST_PATH) + held.length * OWNER_SIZE,
    });
    for (const table of tables) this.askDetails(table);
    for (const file of held) this.askOwner(file);
  }

  /**
   * To be called once, inside the freeze.
   * @returns new positions of the descriptions whose position has changed, by id; undefined when anything else has
   */
  findPositions(): [description: number, position: number][] | undefined {
    if (!this.first.areUnchanged()) return undefined;
    return this.positions.flatMap(({ file, record }): [number, number][] => {
      const position = Math.max(0, this.first.program.result(record));
      return position === file.offset ? [] : [[file.id, position]];
    });
  }

  /** To be called once, inside the freeze: FD_CLOEXEC, locks, owners. */
  detailsAreUnchanged(): boolean {
    return this.second.areUnchanged();
  }

  private askTable({ process, entries, workingDirectory, rootDirectory }: DescriptorTable, umask: number): void {
    const folder = `/proc/${process.hostPid}`;
    // The size of this folder is the number of open descriptors (Linux 6.2).
    const status = this.askStatus(`${folder}/fd`);
    this.first.expect(() => status().size === entries.length);
    for (const { fd, file } of entries) {
      this.first.expectZero(this.first.program.tryCall('kcmp', globalThis.process.pid, process.hostPid, KCMP_FILE, file.fd, fd));
    }
    this.askDirectory(`${folder}/cwd`, workingDirectory);
    this.askDirectory(`${folder}/root`, rootDirectory);
    const text = this.first.text(`${folder}/status`, STATUS_SIZE);
    this.first.expect(() => /\nUmask:\t(\d+)\n/.exec(text())?.[1] === umask.toString(8).padStart(4, '0'));
  }

  private askStatus(path: string): () => ReturnType<typeof parseStatus> {
    const { program } = this.first;
    const buffer = program.data(STAT_SIZE);
    this.first.expectZero(program.tryCall('stat', program.string(path), buffer));
    return () => parseStatus(program.bytesAt(buffer, STAT_SIZE));
  }

  private askDirectory(path: string, { status: expected, link, rawLink }: OpenFile): void {
    const { program } = this.first;
    const status = this.askStatus(path);
    const shown = program.data(LINK_SIZE);
    const length = program.tryCall('readlink', program.string(path), shown, LINK_SIZE);
    const name = rawLink ?? Buffer.from(link);
    this.first.expect(() => {
      const { device, inode } = status();
      const isSame = Buffer.compare(program.bytesAt(shown, Math.max(0, program.result(length))), name) === 0;
      return isSame && device === expected.device && inode === expected.inode;
    });
  }

  private askPosition(file: OpenFile): void {
    const { program } = this.first;
    this.positions.push({ file, record: program.tryCall('lseek', file.fd, 0, SEEK.current) });
    const flags = program.tryCall('fcntl', file.fd, FCNTL.getFlags, 0);
    this.first.expect(() => program.result(flags) === file.flags);
  }

  private askDetails({ process, entries }: DescriptorTable): void {
    for (const { fd, closeOnExec } of entries) {
      const text = this.second.text(`/proc/${process.hostPid}/fdinfo/${fd}`, FIRST_LOOK);
      this.second.expect(() => {
        const shown = parseLook(text());
        return !shown.hasLock && shown.closeOnExec === closeOnExec;
      });
    }
  }

  private askOwner({ fd }: OpenFile): void {
    const { program } = this.second;
    const owner = program.data(OWNER_SIZE);
    const asked = program.tryCall('fcntl', fd, FCNTL.getOwnerEx, owner);
    this.second.expect(() => program.result(asked) < 0 || program.viewAt(owner, OWNER_SIZE).getInt32(4, true) === 0);
  }
}
