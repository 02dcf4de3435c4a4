/** A node of the KDDM benchmark in a process of its own: forked, it is told who it is, then where all nodes are. */
import { createServer } from 'node:net';
import { type Begin, BenchNode, HOST, type Ports } from './kddm-definitions.ts';

async function start(begin: Begin): Promise<void> {
  const node = new BenchNode(begin);
  const { port } = await node.rpc.listen({ host: HOST, port: 0 });
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('data', (bytes) => socket.write(bytes));
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  process.once('message', (ports: readonly number[]) => void node.join(ports).then(() => process.send?.('joined')));
  process.send?.({ rpc: port, echo: typeof address === 'object' && address !== null ? address.port : 0 } satisfies Ports);
}

process.once('message', (begin: Begin) => void start(begin));
process.once('disconnect', () => process.exit());
