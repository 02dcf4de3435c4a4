/** Character devices that are alike on every node. */
import { z } from 'zod';
import { AT_FDCWD, call, deviceMajor, deviceMinor, FILE_TYPE, OPEN, type Conversation } from '../../linux/index.ts';
import { checkIdentity, identify, pathOf } from '../identity.ts';
import { fileIdentitySchema } from '../image.ts';
import { defineKind } from '../kind.ts';
import { Refusal } from '../verdict.ts';
import { REOPEN_FLAGS } from './path.ts';

/** Memory devices (Documentation/admin-guide/devices.txt, major 1) without state: null, zero, full, random, urandom. */
const MEMORY_MAJOR = 1;
const STATELESS = new Set([3, 5, 7, 8, 9]);
/** Majors of terminals: the tty devices, the pty masters and slaves. */
const TERMINAL_MAJORS = new Set([2, 3, 4, 5, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143]);

const stateSchema = z.object({ identity: fileIdentitySchema });

export const deviceKind = defineKind<z.infer<typeof stateSchema>>({
  name: 'device',
  schema: stateSchema,
  matches(file) {
    const type = file.status.mode & FILE_TYPE.mask;
    if (type === FILE_TYPE.blockDevice) return true;
    return type === FILE_TYPE.characterDevice && !TERMINAL_MAJORS.has(deviceMajor(file.status.specialDevice));
  },
  *capture(file, context) {
    const { mode, specialDevice } = file.status;
    if ((mode & FILE_TYPE.mask) === FILE_TYPE.blockDevice) {
      throw new Refusal('file.block-device', `${file.link} is a block device of this node; close it before the move`);
    }
    if (deviceMajor(specialDevice) !== MEMORY_MAJOR || !STATELESS.has(deviceMinor(specialDevice))) {
      throw new Refusal(
        'file.device',
        `${file.link} is a device of this node, and its driver's state cannot be moved; close it before the move`,
      );
    }
    return { identity: yield* identify(file, context) };
  },
  *restore({ identity }, description): Conversation<number> {
    const [fd = -1] = yield [call('openat', AT_FDCWD, pathOf(identity), (description.flags & REOPEN_FLAGS) | OPEN.closeOnExec, 0)];
    yield* checkIdentity(fd, identity);
    return fd;
  },
  isSteady: () => true,
  identity: ({ identity }) => identity,
});
