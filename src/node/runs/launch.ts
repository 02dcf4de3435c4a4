/** Starts programs for users. */
import { statSync } from 'node:fs';
import {
  applied,
  type CapabilitySets,
  contains,
  type Given,
  initialSets,
  namesOf,
  NOT_DISABLED,
  SUPPORTED,
} from '../../capability/index.ts';
import type { Container, Credentials, LaunchOptions, StandardStreams } from '../../container/index.ts';
import { KorriganError } from '../../linux/errors.ts';
import { isErrno } from '../../linux/index.ts';
import type { RunRequest } from '../api/schemas.ts';
import { accountOf } from '../users.ts';
import { loginRequest } from './login.ts';

/** @throws KorriganError KRG_NOT_SUPPORTED */
function endowed(initial: CapabilitySets, change: NonNullable<RunRequest['capabilities']>): Given {
  const effective = applied(initial.effective, change);
  if (!contains(SUPPORTED, effective))
    throw new KorriganError(
      'KRG_NOT_SUPPORTED',
      `not supported: ${namesOf(effective & ~SUPPORTED).join(', ') || 'a capability without a name'}`,
    );
  return { sets: initialSets(effective), disabled: NOT_DISABLED };
}

/** /dev/null, thrice: the standard streams of pid 1 itself. */
export const NO_STREAMS: StandardStreams = { kind: 'descriptors', fds: [0, 1, 2] };

export interface LaunchRequest {
  readonly who: Credentials;
  readonly request: RunRequest;
  /** Name of this node. */
  readonly node: string;
  readonly streams: StandardStreams;
  /** What programs have that are started without capabilities of their own. */
  readonly initial: CapabilitySets;
  /** See LaunchOptions; `clear` sets it back to zero. */
  readonly note?: { readonly address: number; readonly clear: () => void };
}

/** @returns the pid @throws KorriganError KRG_COMMAND_NOT_FOUND, KRG_COMMAND_NOT_EXECUTABLE, KRG_BAD_REQUEST, KRG_PERMISSION */
export async function launch(container: Container, { who, request: asked, node, streams, initial, note }: LaunchRequest): Promise<number> {
  const request = asked.login === true ? asLogin(asked, who.uid, node) : asked;
  const environment = request.terminal === undefined ? request.environment : { ...request.environment, TERM: request.terminal.type };
  const options: LaunchOptions = {
    arguments: request.arguments,
    ...(request.file === undefined ? {} : { file: request.file }),
    ...(request.nice === undefined ? {} : { nice: request.nice }),
    environment,
    workingDirectory: request.workingDirectory,
    credentials: who,
    umask: request.umask,
    streams,
    cgroup: container.newApplication(),
    ...(request.capabilities === undefined ? {} : { capabilities: endowed(initial, request.capabilities) }),
    ...(note === undefined ? {} : { noteAt: note.address }),
  };
  try {
    return (await container.launch(options)).pid;
  } catch (error) {
    // A file that is executable but has no format the kernel knows is a shell script, as for execvp(3).
    const name = request.file ?? request.arguments[0] ?? '';
    if (!(error instanceof KorriganError) || !isErrno(error.cause, 'ENOEXEC')) throw error;
    note?.clear();
    const script = ['/bin/sh', name, ...request.arguments.slice(1)];
    return (await container.launch({ ...options, file: '/bin/sh', arguments: script, cgroup: container.newApplication() })).pid;
  }
}

function asLogin(request: RunRequest, uid: number, node: string): RunRequest {
  const account = accountOf(uid);
  return loginRequest(request, account, node, statSync(account.home, { throwIfNoEntry: false })?.isDirectory() === true);
}
