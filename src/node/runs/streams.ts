/** The standard streams of a program that is attached to a user: three pipes, or a terminal. Their ends stay open in pid 1 too. */
import type { Container, StandardStreams } from '../../container/index.ts';
import { encodeWindowSize, syscall, TTY, type WindowSize } from '../../linux/index.ts';

const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

/** One of the daemon's ends. */
interface End {
  /** The descriptor in pid 1, which keeps the stream alive without a daemon. */
  readonly inInit: number;
  /** Here; non-blocking. */
  readonly fd: number;
}

export class AttachedStreams {
  /** What the program is launched with. */
  readonly forProgram: StandardStreams;
  /** Of the program's standard input: a pipe, or the terminal's master. */
  readonly input: End;
  /** The output's ends, and which stream of the user each belongs to. */
  readonly outputs: readonly (End & { readonly stream: 'stdout' | 'stderr' })[];
  readonly isTerminal: boolean;
  private readonly container: Container;
  /** Descriptors of pid 1 that only the program needs. */
  private readonly programEnds: readonly number[];
  private readonly closedInInit = new Set<number>();
  private readonly closedHere = new Set<number>();

  private constructor(
    container: Container,
    parts: Pick<AttachedStreams, 'forProgram' | 'input' | 'outputs'> & { programEnds: readonly number[] },
  ) {
    this.container = container;
    this.forProgram = parts.forProgram;
    this.input = parts.input;
    this.outputs = parts.outputs;
    this.programEnds = parts.programEnds;
    this.isTerminal = parts.forProgram.kind === 'terminal';
  }

  static pipes(container: Container): AttachedStreams {
    const [input, output, error] = [container.openPipe(), container.openPipe(), container.openPipe()];
    const programEnds = [input.readEnd, output.writeEnd, error.writeEnd] as const;
    return new AttachedStreams(container, {
      forProgram: { kind: 'descriptors', fds: programEnds },
      input: endOf(container, input.writeEnd),
      outputs: [
        { ...endOf(container, output.readEnd), stream: 'stdout' },
        { ...endOf(container, error.readEnd), stream: 'stderr' },
      ],
      programEnds,
    });
  }

  static terminal(container: Container, owner: number, size: WindowSize): AttachedStreams {
    const terminal = container.openTerminal({ uid: owner }, size);
    // Two descriptors for one master: reading and writing wait independently.
    return new AttachedStreams(container, {
      forProgram: { kind: 'terminal', number: terminal.number },
      input: endOf(container, terminal.master),
      outputs: [{ ...endOf(container, terminal.master), stream: 'stdout' }],
      programEnds: [],
    });
  }

  /** The program has its ends: without them here its end of a stream is the last one. */
  closeProgramEnds(): void {
    for (const fd of this.programEnds) this.closeInInit(fd);
  }

  resize(size: WindowSize): void {
    syscall('ioctl', this.input.fd, TTY.setWindowSize, encodeWindowSize(size));
  }

  /** The user has no more input. A terminal has no such end: who wants one types it. @param closeHere closes a descriptor of this process */
  endInput(closeHere: (fd: number) => void): void {
    if (!this.isTerminal) this.close(this.input, closeHere);
  }

  closeAll(closeHere: (fd: number) => void): void {
    this.closeProgramEnds();
    for (const end of [this.input, ...this.outputs]) this.close(end, closeHere);
  }

  private close(end: End, closeHere: (fd: number) => void): void {
    if (this.closedHere.has(end.fd)) return;
    this.closedHere.add(end.fd);
    closeHere(end.fd);
    this.closeInInit(end.inInit);
  }

  private closeInInit(fd: number): void {
    if (this.closedInInit.has(fd)) return;
    this.closedInInit.add(fd);
    this.container.closeDescriptor(fd);
  }
}

function endOf(container: Container, inInit: number): End {
  const fd = container.takeDescriptor(inInit);
  syscall('fcntl', fd, F_SETFL, syscall('fcntl', fd, F_GETFL) | O_NONBLOCK);
  return { inInit, fd };
}
