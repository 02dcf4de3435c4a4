/** Programs that users start on this node. */
import type { Container, Credentials, LaunchOptions, StandardStreams } from '../../container/index.ts';
import { KorriganError } from '../../linux/errors.ts';
import { isErrno } from '../../linux/index.ts';
import type { RunRequest } from '../api/schemas.ts';
import type { RunSession } from '../api/services.ts';
import type { ExitStatus, StartedProcess } from '../api/types.ts';
import type { Endings } from '../endings.ts';
import type { Watcher } from '../watcher.ts';
import { relayInput, relayOutput } from './relay.ts';
import { AttachedStreams } from './streams.ts';

const SIGHUP = 1;
/** /dev/null, thrice: the standard streams of pid 1 itself. */
const NO_STREAMS: StandardStreams = { kind: 'descriptors', fds: [0, 1, 2] };

export interface LocalRunsOptions {
  readonly container: Container;
  readonly watcher: Watcher;
  readonly endings: Endings;
  /** Name of this node. */
  readonly node: string;
  readonly onFault: (error: unknown) => void;
}

/** A session of the user's whose program may run on another node than the one that was asked. */
export type Session = Omit<RunSession, 'stdin'> & { readonly stdin: AsyncIterable<Uint8Array> };

export class LocalRuns {
  private readonly options: LocalRunsOptions;

  constructor(options: LocalRunsOptions) {
    this.options = options;
  }

  async detached(who: Credentials, request: RunRequest): Promise<StartedProcess> {
    const { pid } = await this.launch(who, request, NO_STREAMS);
    return { pid, node: this.options.node };
  }

  /** Runs a program to its end, with its streams attached to the session. */
  async attached(who: Credentials, request: RunRequest, session: Session): Promise<ExitStatus> {
    const { container, endings, watcher, node } = this.options;
    const { terminal } = request;
    const streams = terminal === undefined ? AttachedStreams.pipes(container) : AttachedStreams.terminal(container, who.uid, terminal);
    const closeHere = (fd: number): void => watcher.close(fd);
    try {
      const mark = endings.mark;
      const { pid } = await this.launch(who, request, streams.forProgram);
      streams.closeProgramEnds();
      session.started({ pid, node });
      session.onResize((size) => streams.resize(size));
      session.onSignal((signal) => this.signalGroup(pid, signal));
      session.connectionLost.addEventListener('abort', () => this.hangUp(pid, streams), { once: true });
      if (session.connectionLost.aborted) this.hangUp(pid, streams);
      this.feed(streams, session);
      const ended = endings.of(pid, mark);
      const over = streams.isTerminal ? ended : new Promise<never>(() => undefined);
      const outputs = streams.outputs.map(({ fd, stream }) => {
        const write = (bytes: Uint8Array): Promise<void> => (stream === 'stdout' ? session.writeStdout(bytes) : session.writeStderr(bytes));
        return relayOutput(watcher, fd, write, over);
      });
      await Promise.all(outputs);
      const { ending } = await ended;
      return ending.kind === 'exited'
        ? { kind: 'exited', code: ending.status }
        : { kind: 'signalled', signal: ending.signal, coreDumped: ending.coreDumped };
    } finally {
      streams.closeAll(closeHere);
    }
  }

  private async launch(who: Credentials, request: RunRequest, streams: StandardStreams): Promise<{ pid: number }> {
    const { container } = this.options;
    const environment = request.terminal === undefined ? request.environment : { ...request.environment, TERM: request.terminal.type };
    const options: LaunchOptions = {
      arguments: request.arguments,
      environment,
      workingDirectory: request.workingDirectory,
      credentials: who,
      umask: request.umask,
      streams,
      cgroup: container.newApplication(),
    };
    try {
      return await container.launch(options);
    } catch (error) {
      // A file that is executable but has no format the kernel knows is a shell script, as for execvp(3).
      const [name = ''] = request.arguments;
      if (!(error instanceof KorriganError) || !isErrno(error.cause, 'ENOEXEC')) throw error;
      return container.launch({
        ...options,
        arguments: ['/bin/sh', name, ...request.arguments.slice(1)],
        cgroup: container.newApplication(),
      });
    }
  }

  private feed(streams: AttachedStreams, session: Session): void {
    const { watcher, onFault } = this.options;
    relayInput(watcher, streams.input.fd, session.stdin).then(
      () => streams.endInput((fd) => watcher.close(fd)),
      (error: unknown) => {
        if (!(error instanceof KorriganError)) onFault(error);
      },
    );
  }

  private signalGroup(pid: number, signal: number): void {
    try {
      this.options.container.lane.call('kill', -pid, signal);
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error;
    }
  }

  /** As a terminal line that was cut. */
  private hangUp(pid: number, streams: AttachedStreams): void {
    this.signalGroup(pid, SIGHUP);
    streams.endInput((fd) => this.options.watcher.close(fd));
  }
}
