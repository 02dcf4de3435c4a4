/** Masters of pseudo-terminals with a given number. */
import { AT_FDCWD, attempt, call, type Conversation, OPEN, TTY } from '../../linux/index.ts';
import { Refusal } from '../../fs/index.ts';

/** How many numbers are tried to get a given one: devpts gives the lowest that is free. */
const NUMBER_LIMIT = 4096;

/** Opens masters until one has the number, and lets go of the others. @param orAnother takes the next free one if it is taken */
export function* openMaster(number: number, orAnother = false): Conversation<number> {
  const others: number[] = [];
  try {
    for (let turn = 0; turn < NUMBER_LIMIT; turn++) {
      const [master = -1] = yield [
        call('openat', AT_FDCWD, '/dev/ptmx', OPEN.readWrite | OPEN.noControllingTerminal | OPEN.closeOnExec, 0),
      ];
      const got = new Int32Array(1);
      yield [call('ioctl', master, TTY.getNumber, new Uint8Array(got.buffer))];
      if (got[0] === number) return master;
      if (orAnother && (got[0] ?? 0) > number) return master;
      others.push(master);
      if ((got[0] ?? 0) > number) break;
    }
    throw new Refusal('terminal.number-taken', `/dev/pts/${number} exists on this node already`);
  } finally {
    if (others.length > 0) yield others.map((fd) => attempt('close', fd));
  }
}
