/** Messages that carry file descriptors over a unix socket: SCM_RIGHTS of unix(7), cmsg(3). */
import type { Structure } from './batch.ts';

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const HEADER_SIZE = 56;
const CONTROL_HEADER_SIZE = 16;
/** SCM_MAX_FD: the most descriptors that one message can carry. */
export const DESCRIPTORS_PER_MESSAGE = 253;

/** struct msghdr over one buffer, with a control buffer. After recvmsg its bytes hold flags and lengths. */
export interface Message {
  readonly header: Structure;
  readonly payload: Uint8Array;
  readonly control: Uint8Array;
}

export function makeMessage(payload: Uint8Array, control: Uint8Array): Message {
  const vector = new Uint8Array(16);
  new DataView(vector.buffer).setUint32(8, payload.length, true);
  const bytes = new Uint8Array(HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(24, 1, true);
  view.setUint32(40, control.length, true);
  const pointers = [{ offset: 16, to: { bytes: vector, pointers: [{ offset: 0, to: payload }] } }];
  const header = { bytes, pointers: control.length === 0 ? pointers : [...pointers, { offset: 32, to: control }] };
  return { header, payload, control };
}

/** msg_flags after recvmsg. */
export function messageFlags({ header }: Message): number {
  return new DataView(header.bytes.buffer, header.bytes.byteOffset).getUint32(48, true);
}

const controlSpace = (count: number): number => CONTROL_HEADER_SIZE + Math.ceil((4 * count) / 8) * 8;

/** A one-byte message with descriptors of the sender. */
export function messageWithDescriptors(fds: readonly number[]): Message {
  const control = new Uint8Array(controlSpace(fds.length));
  const view = new DataView(control.buffer);
  view.setUint32(0, CONTROL_HEADER_SIZE + 4 * fds.length, true);
  view.setUint32(8, SOL_SOCKET, true);
  view.setUint32(12, SCM_RIGHTS, true);
  for (const [n, fd] of fds.entries()) view.setInt32(CONTROL_HEADER_SIZE + 4 * n, fd, true);
  return makeMessage(Uint8Array.of(0x2e), control);
}

/** Room to receive a one-byte message with so many descriptors. */
export function roomForDescriptors(count: number): Message {
  return makeMessage(new Uint8Array(1), new Uint8Array(controlSpace(count)));
}

/** The descriptors of a message that was received, as numbers of the receiver. */
export function receivedDescriptors({ control }: Message): number[] {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  const length = view.getUint32(0, true);
  if (length < CONTROL_HEADER_SIZE || view.getUint32(12, true) !== SCM_RIGHTS) return [];
  return Array.from({ length: (length - CONTROL_HEADER_SIZE) / 4 }, (_, n) => view.getInt32(CONTROL_HEADER_SIZE + 4 * n, true));
}
