/** Frames over a connection that carries bytes. */
import { encodeFrame, type Frame, FrameDecoder } from './frames.ts';

/** A connection to another node, or to a user: bytes both ways, each direction with its own end. */
export interface ByteLink {
  /** Undefined at the end. Rejects when the connection was lost. */
  read(): Promise<Uint8Array | undefined>;
  /** Bytes that must not be changed any more. Resolves when there is room for more. Rejects when the connection was lost. */
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Breaks it off. */
  abort(reason: unknown): void;
}

export class FrameLink {
  private readonly link: ByteLink;
  private readonly decoder = new FrameDecoder();
  private readonly early: Frame[] = [];

  constructor(link: ByteLink) {
    this.link = link;
  }

  /**
   * Never waits: what may be under way is bounded by the streams themselves. A connection that is lost says so to its reader.
   */
  send(frame: Frame): void {
    for (const piece of encodeFrame(frame)) this.link.write(piece).catch(() => undefined);
  }

  /** The first frame, which says what the connection is for; undefined when none came. @throws KorriganError KRG_BAD_REQUEST */
  async first(): Promise<Frame | undefined> {
    while (this.early.length === 0) {
      const bytes = await this.link.read();
      if (bytes === undefined) return undefined;
      this.early.push(...this.decoder.push(bytes));
    }
    return this.early.shift();
  }

  /** Hands over every frame, in order. Resolves at the end of the other side. Rejects when the connection is lost or broke its protocol. */
  async receive(take: (frame: Frame) => void): Promise<void> {
    for (const frame of this.early.splice(0)) take(frame);
    for (let bytes = await this.link.read(); bytes !== undefined; bytes = await this.link.read()) {
      for (const frame of this.decoder.push(bytes)) take(frame);
    }
  }

  async end(): Promise<void> {
    await this.link.end();
  }

  abort(reason: unknown): void {
    this.link.abort(reason);
  }
}
