/** The session that a terminal controls: its leader takes the terminal again where the processes arrive. */
import { z } from 'zod';
import { attempt, call, type Conversation, TERMINAL, TTY } from '../../linux/index.ts';

/** The session that it controls and that session's foreground group, inside the container; 0 when none. */
export const controlState = z.object({ session: z.number(), foregroundGroup: z.number() });
export type ControlState = z.infer<typeof controlState>;

/** To be run in each process that has the terminal open. @param fd there */
export function* takeControl({ session, foregroundGroup }: ControlState, fd: number): Conversation<void> {
  const [pid = 0] = yield [call('getpid')];
  if (pid !== session) return;
  const present = new Int32Array(1);
  yield [call('ioctl', fd, TTY.setControllingTerminal, 0), attempt('ioctl', fd, TTY.getForegroundGroup, new Uint8Array(present.buffer))];
  // Another descriptor may have done it already, and to do it from the background would be a stop (tcsetpgrp(3)).
  if (present[0] === foregroundGroup) return;
  // A group that has ended has no members that could miss it.
  yield [attempt('ioctl', fd, TERMINAL.setForegroundGroup, new Uint8Array(Int32Array.of(foregroundGroup).buffer))];
}
