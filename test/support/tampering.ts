/** Somebody between two nodes who can see and change what goes over the connection of a move: a proxy that knows where its records begin and end. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { JoinedNode } from './joined-node.ts';

const HOST = '127.0.0.1';
const HEADER_SIZE = 4;
const TAG_SIZE = 16;

export type Direction = 'to the target' | 'to the source';
/** What is passed on instead of a record, or done then. @param earlier the records before it in this direction */
export type Tamper = (record: Buffer, n: number, direction: Direction, earlier: readonly Buffer[]) => readonly (Buffer | 'cut')[];

/** Lets the moves from `source` go through a proxy from now on. @returns what passes on everything again */
export function tamperWithMovesFrom({ rpc }: JoinedNode, tamper: Tamper): Disposable {
  const call = rpc.call.bind(rpc);
  rpc.call = (async (...parameters: Parameters<typeof call>) => {
    const answer: unknown = await call(...parameters);
    if (parameters[1].name !== 'epm.prepare') return answer;
    const prepared = answer as { port: number };
    return { ...prepared, port: await startProxy(prepared.port, tamper) };
  }) as typeof rpc.call;
  return { [Symbol.dispose]: () => (rpc.call = call) };
}

async function startProxy(targetPort: number, tamper: Tamper): Promise<number> {
  const server = createServer((source) => {
    server.close();
    const target = connect({ host: HOST, port: targetPort });
    const cut = (): void => {
      source.destroy();
      target.destroy();
    };
    for (const socket of [source, target]) socket.setNoDelay(true).on('error', cut);
    pass(source, target, tamper, 'to the target', cut);
    pass(target, source, tamper, 'to the source', cut);
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function pass(from: Socket, to: Socket, tamper: Tamper, direction: Direction, cut: () => void): void {
  let unread = Buffer.alloc(0);
  const earlier: Buffer[] = [];
  from.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= HEADER_SIZE) {
      const size = HEADER_SIZE + unread.readUInt32LE(0) + TAG_SIZE;
      if (unread.length < size) return;
      const record = unread.subarray(0, size);
      unread = unread.subarray(size);
      for (const part of tamper(record, earlier.length, direction, earlier)) {
        if (part === 'cut') return cut();
        to.write(part);
      }
      earlier.push(record);
    }
  });
  from.on('end', () => to.end());
}
