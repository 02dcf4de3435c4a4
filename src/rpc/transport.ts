/** What carries the frames of a session: a link, or the short way from a node to itself. */
import type { Priority } from './definition.ts';
import type { FrameType } from './frame.ts';

export interface Transport {
  /** Sends a frame, in order within its class. After the transport has ended it does nothing. */
  send(type: FrameType, id: number, body: Uint8Array, trailer: Uint8Array, priority: Priority): void;
  /** A promise to wait for before bulk frames are sent, or undefined when there is room. */
  hasRoom(): Promise<void> | undefined;
}
