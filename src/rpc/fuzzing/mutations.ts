/** Inputs made from others, as a function of a seed. */
import { encodeFrame, FRAME, type Frame, NO_BYTES } from '../frame.ts';
import { handshakeFrame } from '../handshake.ts';
import { PROTOCOL_VERSION } from '../limits.ts';
import { pack } from '../message.ts';
import { bytes, disabled, echo, fetch, OPEN_SIZES, sums, told, wait } from './receiver.ts';

const LONGEST = 20_000;
const LENGTHS = [0, 1, 15, 16, OPEN_SIZES.body, OPEN_SIZES.body + 1, 0x7fffffff, 0x80000000, 0xffffffff] as const;

/** [0, 1); mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

const frame = (type: Frame['type'], id: number, body: unknown, trailer = NO_BYTES): Buffer =>
  encodeFrame({ type, id, body: body === undefined ? NO_BYTES : pack(body), trailer });
const hello = {
  version: PROTOCOL_VERSION,
  oldest: PROTOCOL_VERSION,
  cluster: 'fuzzed',
  from: 2,
  to: 1,
  life: 'life of node 2',
  lastLink: '',
  nonce: '0'.repeat(32),
};
const failure = { code: 'KRG_INTERNAL', message: 'failed', cause: { code: 'ENOENT', message: 'none' } };

/** Frames as a peer sends them: of each type at least one that is taken. */
export const WELL_FORMED: readonly Buffer[] = [
  encodeFrame(handshakeFrame(FRAME.hello, hello)),
  encodeFrame(handshakeFrame(FRAME.hello, { version: 99 })),
  encodeFrame(handshakeFrame(FRAME.agree, { nonce: '0'.repeat(32) })),
  encodeFrame(handshakeFrame(FRAME.refuse, { code: 'KRG_NO_SUCH_NODE', message: 'unknown' })),
  frame(FRAME.ping, 0, undefined),
  frame(FRAME.pong, 0, undefined),
  frame(FRAME.goodbye, 0, failure),
  frame(FRAME.call, 1, [echo.name, { text: 'said' }, 0, '']),
  frame(FRAME.call, 3, [echo.name, { text: 'once' }, 1000, 'key'], Buffer.from('bytes')),
  frame(FRAME.call, 5, [wait.name, {}, 50, '']),
  frame(FRAME.call, 7, [fetch.name, 3, 0, '']),
  frame(FRAME.call, 9, [disabled.name, null, 0, '']),
  frame(FRAME.result, 2, { text: 'answered' }),
  frame(FRAME.failure, 2, failure),
  frame(FRAME.forward, 2, [3, { text: 'elsewhere' }]),
  frame(FRAME.cancel, 5, undefined),
  frame(FRAME.signal, 5, 15),
  frame(FRAME.notice, 0, [told.name, { number: 1 }]),
  frame(FRAME.streamOpen, 11, [sums.name, { from: 1 }]),
  frame(FRAME.streamOpen, 13, [bytes.name, {}]),
  frame(FRAME.streamData, 11, 5),
  frame(FRAME.streamData, 13, undefined, Buffer.alloc(100, 1)),
  frame(FRAME.streamAccept, 4, undefined),
  frame(FRAME.streamData, 4, 5),
  frame(FRAME.streamCredit, 11, 100),
  frame(FRAME.streamEnd, 11, undefined),
  frame(FRAME.streamEnd, 4, undefined),
  frame(FRAME.streamAbort, 13, failure),
];

/** What the first inputs are made from. */
export function firstInputs(): Buffer[] {
  return WELL_FORMED.flatMap((one) => [0, 1, 2].map((stage) => Buffer.concat([Buffer.of(stage), one])));
}

/** Another input. @param others where it may take parts from */
export function mutate(input: Buffer, others: readonly Buffer[], random: () => number): Buffer {
  let result: Buffer = Buffer.from(input);
  const upTo = (limit: number): number => Math.floor(random() * limit);
  const pick = <Item>(items: readonly Item[]): Item => items[upTo(items.length)] as Item;
  for (let changes = 1 + upTo(4); changes > 0; changes--) {
    const at = upTo(result.length + 1);
    const [before, after] = [result.subarray(0, at), result.subarray(at)];
    switch (upTo(8)) {
      case 0:
        if (at < result.length) result[at] = (result[at] ?? 0) ^ (1 << upTo(8));
        break;
      case 1:
        if (at < result.length) result[at] = upTo(256);
        break;
      case 2:
        if (at + 4 <= result.length) result.writeUInt32BE(random() < 0.5 ? pick(LENGTHS) : upTo(64), at);
        break;
      case 3:
        result = Buffer.concat([before, Buffer.from(Array.from({ length: 1 + upTo(8) }, () => upTo(256))), after]);
        break;
      case 4:
        result = Buffer.concat([before, after.subarray(upTo(40))]);
        break;
      case 5:
        result = Buffer.concat([result, ...Array.from({ length: 1 + upTo(4) }, () => pick(WELL_FORMED))]);
        break;
      case 6: {
        const other = pick(others);
        result = Buffer.concat([before, other.subarray(upTo(other.length))]);
        break;
      }
      default:
        result = Buffer.concat([result, result.subarray(1 + upTo(result.length))]);
    }
  }
  return result.subarray(0, LONGEST);
}
