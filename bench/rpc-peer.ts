/** The other process of the RPC benchmark: forked with the credentials of node 2 on its channel, it listens in every way that is compared. */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import { type NodeCredentials, RpcNode, Trust } from '../src/rpc/index.ts';
import { echoCall, HOST, type Ports, sinkStream } from './rpc-definitions.ts';

const COUNT_SIZE = 8;
const CALLER = 1;
/** Nobody listens there: the caller makes the link. */
const CALLERS_PORT = 1;

function echo(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('data', (bytes) => socket.write(bytes));
  socket.on('error', () => socket.destroy());
}

function sink(socket: Socket): void {
  socket.setNoDelay(true);
  let missing = 0;
  socket.on('data', (bytes) => {
    let taken = bytes.length;
    if (missing === 0) {
      missing = Number(bytes.readBigUInt64LE());
      taken -= COUNT_SIZE;
    }
    missing -= taken;
    if (missing === 0) socket.write('.');
  });
  socket.on('error', () => socket.destroy());
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, HOST, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

async function start(credentials: NodeCredentials): Promise<Ports> {
  const trust = new Trust(credentials);
  const node = new RpcNode({ trust });
  node.addPeer(CALLER, HOST, CALLERS_PORT);
  node.handle(echoCall, (bytes) => bytes);
  node.handleStream(sinkStream, async (_, stream) => {
    let bytes = 0;
    for await (const piece of stream) bytes += piece.length;
    await stream.write(bytes);
  });
  return {
    rpc: (await node.listen({ host: HOST, port: 0 })).port,
    echo: await listen(createServer(echo)),
    secureEcho: await listen(createSecureServer(trust.contextOptions, echo)),
    sink: await listen(createServer(sink)),
    secureSink: await listen(createSecureServer(trust.contextOptions, sink)),
  };
}

process.once('message', (credentials: NodeCredentials) => {
  void start(credentials).then((ports) => process.send?.(ports));
});
process.once('disconnect', () => process.exit());
