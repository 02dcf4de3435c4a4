/** What two nodes say to each other over one transport: its calls and its streams, and how frames find them. */
import type { KorriganError } from '../linux/errors.ts';
import { CallTable } from './call-table.ts';
import type { NodeId, Priority } from './definition.ts';
import { FRAME, type Frame, malformed, NO_BYTES } from './frame.ts';
import type { RpcLimits } from './limits.ts';
import type { RpcLog } from './log.ts';
import type { HandlerRegistry } from './registry.ts';
import type { RememberedAnswers } from './remembered-answers.ts';
import { StreamTable } from './stream-table.ts';
import type { Transport } from './transport.ts';

/** What a node gives to all its sessions. */
export interface SessionEnvironment {
  readonly registry: HandlerRegistry;
  readonly answers: RememberedAnswers;
  readonly limits: RpcLimits;
  readonly log: RpcLog;
}

/** What the tables of a session share. */
export interface SessionPart extends SessionEnvironment {
  readonly transport: Transport;
  readonly peer: NodeId;
  readonly peerLife: string;
  /** An id that this end has not in use: odd on the side that opened the link, even on the other. */
  newId(isUsed: (id: number) => boolean): number;
}

const LARGEST_ID = 2 ** 32 - 1;

export class Session {
  readonly peerLife: string;
  readonly calls: CallTable;
  readonly streams: StreamTable;
  readonly #transport: Transport;
  readonly #firstId: number;
  #lastId: number;

  constructor(environment: SessionEnvironment, transport: Transport, peer: NodeId, peerLife: string, opener: boolean) {
    this.peerLife = peerLife;
    this.#transport = transport;
    this.#firstId = opener ? 1 : 2;
    this.#lastId = this.#firstId - 2;
    const part = { ...environment, transport, peer, peerLife, newId: (isUsed: (id: number) => boolean) => this.#newId(isUsed) };
    this.calls = new CallTable(part);
    this.streams = new StreamTable(part);
  }

  notify(body: Uint8Array, priority: Priority): void {
    this.#transport.send(FRAME.notice, 0, body, NO_BYTES, priority);
  }

  /** A frame has come. Throws KRG_PEER_PROTOCOL. */
  receive(frame: Frame): void {
    switch (frame.type) {
      case FRAME.call:
        this.calls.receiveCall(frame);
        break;
      case FRAME.result:
      case FRAME.failure:
      case FRAME.forward:
        this.calls.receiveAnswer(frame);
        break;
      case FRAME.cancel:
        this.calls.receiveCancel(frame);
        break;
      case FRAME.signal:
        this.calls.receiveSignal(frame);
        break;
      case FRAME.notice:
        this.calls.receiveNotice(frame);
        break;
      case FRAME.streamOpen:
        this.streams.receiveOpen(frame);
        break;
      case FRAME.streamAccept:
      case FRAME.streamData:
      case FRAME.streamCredit:
      case FRAME.streamEnd:
      case FRAME.streamAbort:
        this.streams.receive(frame);
        break;
      default:
        throw malformed(`a frame of type ${frame.type} has no place on an open link`);
    }
  }

  /** The transport has ended. */
  closed(reason: KorriganError): void {
    this.calls.closed(reason);
    this.streams.closed(reason);
  }

  #newId(isUsed: (id: number) => boolean): number {
    do {
      this.#lastId += 2;
      if (this.#lastId > LARGEST_ID) this.#lastId = this.#firstId;
    } while (isUsed(this.#lastId));
    return this.#lastId;
  }
}
