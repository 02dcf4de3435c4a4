/** What the two processes of the RPC benchmark say to each other. */
import { z } from 'zod';
import { defineCall, defineStream, rawBytes } from '../src/rpc/index.ts';

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
export const echoCall = defineCall('bench.echo', bytes, bytes);
/** Answered with the number of bytes that have come, when all have. */
export const sinkStream = defineStream('bench.sink', { request: z.object({}), toHandler: rawBytes, toOpener: z.int() });

export const HOST = '127.0.0.1';
export const CLUSTER = 'bench-rpc';
/** Of a message. */
export const SMALL = 64;

/** Where the other process listens. */
export interface Ports {
  readonly rpc: number;
  /** Sends back what comes, TCP and TLS. */
  readonly echo: number;
  readonly secureEcho: number;
  /** Takes a number of bytes (8 bytes, little endian), then those bytes, then answers with one. */
  readonly sink: number;
  readonly secureSink: number;
}
