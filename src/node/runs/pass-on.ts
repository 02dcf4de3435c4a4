/** Connections of users, passed on to the node that runs the program. This node has no part in what is said. */
import { z } from 'zod';
import type { Credentials } from '../../container/index.ts';
import { KorriganError, toKorriganError } from '../../linux/errors.ts';
import { defineCall, defineStream, rawBytes, type RpcNode } from '../../rpc/index.ts';
import { type ByteLink, encodeFrame, FrameDecoder } from '../../streams/index.ts';
import { runRequest, type RunRequest } from '../api/schemas.ts';
import type { StartedProcess } from '../api/types.ts';
import type { RunService } from './run-service.ts';

const id = z.int().min(0);
const credentials = z.object({ uid: id, gid: id, groups: z.array(id).readonly() });
const runDetached = defineCall(
  'node.run-detached',
  z.object({ who: credentials, request: runRequest }),
  z.object({ pid: id, node: z.string() }),
);
const attachedRun = defineStream('node.run', { request: z.object({ who: credentials }), toHandler: rawBytes, toOpener: rawBytes });

/** How long the user's side may take to say what it wants. */
const FIRST_MILLISECONDS = 10_000;

/** Lets users of other nodes, and of this one, run programs here. */
export function serveRuns(rpc: RpcNode, runs: RunService): void {
  rpc.handle(runDetached, ({ who, request }) => runs.detached(who, request));
  rpc.handleStream(attachedRun, ({ who }, stream) => runs.serve(who, stream));
}

export function runDetachedOn(rpc: RpcNode, node: number, who: Credentials, request: RunRequest): Promise<StartedProcess> {
  return rpc.call(node, runDetached, { who, request });
}

/**
 * Joins a user to the node that the first message names.
 * @param nodeFor the id of a node by name; that of this one when none is named
 */
export async function passOn(
  rpc: RpcNode,
  who: Credentials,
  user: ByteLink,
  nodeFor: (reference: string | undefined) => number,
): Promise<void> {
  let node: ByteLink;
  try {
    const { bytes, reference } = await readFirst(user);
    node = await rpc.openStream(nodeFor(reference), attachedRun, { who });
    for (const piece of bytes) await node.write(piece);
  } catch (error) {
    for (const piece of encodeFrame({ type: 'message', value: { kind: 'error', error: toKorriganError(error).toJSON() } }))
      await user.write(piece).catch(() => undefined);
    await user.end();
    return;
  }
  await Promise.all([copy(user, node), copy(node, user)]);
}

/** Reads until the first message is there. */
async function readFirst(user: ByteLink): Promise<{ bytes: Uint8Array[]; reference: string | undefined }> {
  const late = setTimeout(() => user.abort(new KorriganError('KRG_DEADLINE', 'no message followed the upgrade')), FIRST_MILLISECONDS);
  try {
    const decoder = new FrameDecoder();
    const bytes: Uint8Array[] = [];
    for (let chunk = await user.read(); chunk !== undefined; chunk = await user.read()) {
      bytes.push(chunk);
      const [first] = decoder.push(chunk);
      if (first === undefined) continue;
      const message = z.object({ node: z.string().optional() }).safeParse(first.type === 'message' ? first.value : undefined);
      if (!message.success) throw new KorriganError('KRG_BAD_REQUEST', 'the first message of a user names the program');
      return { bytes, reference: message.data.node };
    }
    throw new KorriganError('KRG_STREAM_BROKEN', 'the connection was closed before it said what for');
  } finally {
    clearTimeout(late);
  }
}

/** Until the end of one side. A connection that is lost is lost on both sides. */
async function copy(from: ByteLink, to: ByteLink): Promise<void> {
  try {
    for (let bytes = await from.read(); bytes !== undefined; bytes = await from.read()) await to.write(bytes);
    await to.end();
  } catch (error) {
    to.abort(error);
  }
}
