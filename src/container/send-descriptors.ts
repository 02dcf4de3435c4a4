/** Descriptors of pid 1 for a process of the container. */
import { attempt, call, KorriganError, resultOf, type Conversation, type Message } from '../linux/index.ts';

const MSG_DONTWAIT = 0x40;
/** Index of the first message among the calls. */
const SENT_FROM = 3;

/**
 * The part of pid 1: takes one end of a socketpair of the process and sends the messages, which the process then receives from the other.
 * To be run on a lane.
 * @param pid in the container
 * @param socket descriptor, in the process, of the end that pid 1 takes
 * @param messages made with `messageWithDescriptors` of descriptors of pid 1
 */
export function* sendDescriptors(pid: number, socket: number, messages: readonly Message[]): Conversation<void> {
  const results = yield [
    call('pidfd_open', pid, 0),
    call('pidfd_getfd', resultOf(0), socket, 0),
    call('close', resultOf(0)),
    ...messages.map(({ header }) => attempt('sendmsg', resultOf(1), header, MSG_DONTWAIT)),
    call('close', resultOf(1)),
  ];
  const failed = results.slice(SENT_FROM, SENT_FROM + messages.length).find((result) => result !== 1);
  if (failed !== undefined) throw new KorriganError('KRG_INTERNAL', `descriptors could not be sent to process ${pid}: result ${failed}`);
}
