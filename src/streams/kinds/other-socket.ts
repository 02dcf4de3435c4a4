/** Sockets that cannot move yet, by name. */
import { z } from 'zod';
import { defineKind, Refusal, type OpenFile, type VerdictCode } from '../../fs/index.ts';
import { call, FILE_TYPE, type Conversation } from '../../linux/index.ts';

const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_DOMAIN = 39;
const [AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK] = [2, 10, 16, 17, 38, 40];
const STREAM = 1;
const DATAGRAM = 2;

export const otherSocketKind = defineKind<null>({
  name: 'other-socket',
  schema: z.null(),
  matches: ({ status }) => (status.mode & FILE_TYPE.mask) === FILE_TYPE.socket,
  *capture(file) {
    const domain = yield* askNumber(file, SO_DOMAIN);
    const [code, what] = describe(domain, yield* askNumber(file, SO_TYPE));
    throw new Refusal(code, `${file.link} is ${what}; close it before the move`);
  },
  // oxlint-disable-next-line require-yield
  *restore() {
    throw new Refusal('socket.other', 'what was refused at its source cannot be restored');
  },
});

function* askNumber({ fd }: OpenFile, option: number): Conversation<number> {
  const value = new Int32Array(1);
  yield [call('getsockopt', fd, SOL_SOCKET, option, new Uint8Array(value.buffer), Uint8Array.of(4, 0, 0, 0))];
  return value[0] ?? 0;
}

function describe(domain: number, type: number): [VerdictCode, string] {
  if (domain === AF_INET || domain === AF_INET6) {
    if (type === STREAM) return ['socket.tcp', 'a TCP socket of this node'];
    if (type === DATAGRAM) return ['socket.udp', 'a UDP socket of this node'];
    return ['socket.raw', 'a raw IP socket'];
  }
  if (domain === AF_NETLINK) return ['socket.netlink', 'a netlink socket to this kernel'];
  if (domain === AF_PACKET) return ['socket.packet', 'a packet socket on an interface of this node'];
  if (domain === AF_ALG) return ['socket.crypto', "a socket of the kernel's cryptography"];
  if (domain === AF_VSOCK) return ['socket.vsock', 'a socket to the hypervisor (vsock)'];
  return ['socket.other', `a socket of family ${domain}`];
}
