/** The routes of capabilities over a real socket, with the client of `krg`; what is answered is this file's. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NodeClient } from './client.ts';
import { type ApiServer, startApiServer } from './server.ts';
import type { NodeServices } from './services.ts';
import type { CapabilityReport } from './types.ts';

const directory = mkdtempSync(join(tmpdir(), 'krg-api-capabilities-'));
const socketPath = join(directory, 'krgd.sock');
const client = new NodeClient(socketPath);
const requests: unknown[] = [];
let server: ApiServer;

const report: CapabilityReport = {
  pid: 7,
  node: 'node1',
  sets: { permitted: 3, effective: 1, inheritablePermitted: 3, inheritableEffective: 0 },
  isGiven: true,
  disabled: { CAN_MIGRATE: 2, DISTANT_FORK: 0, CHECKPOINTABLE: 0 },
  denied: [{ capability: 'CAN_MIGRATE', rule: 'a rule' }],
  counting: ['CHANGE_KERRIGHED_CAP'],
};
const services: Pick<NodeServices, 'capabilities' | 'changeCapabilities'> = {
  capabilities: (_caller, request) => Promise.resolve({ ...report, pid: request.pid ?? 1 }),
  changeCapabilities: (_caller, request) => {
    requests.push(request);
    return Promise.resolve(report);
  },
};

before(async () => {
  server = await startApiServer({ socketPath, services: services as NodeServices, onFault: (error) => assert.fail(String(error)) });
});
after(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

test('capabilities are asked for by pid or not, and changed as one asks', async () => {
  assert.deepEqual(
    [await client.capabilities(9), await client.capabilities()],
    [
      { ...report, pid: 9 },
      { ...report, pid: 1 },
    ],
  );
  const changes = [{ set: 'effective', operation: 'add', capabilities: 0o6000 }] as const;
  assert.deepEqual(await client.changeCapabilities({ pid: 7, changes: [...changes], disable: ['CAN_MIGRATE'] }), report);
  assert.deepEqual(requests, [{ pid: 7, changes, disable: ['CAN_MIGRATE'], enable: [] }]);
});

test('what is no set, capability or pid is refused before a service sees it', async () => {
  const asked = requests.length;
  const change = { set: 'effective', operation: 'add', capabilities: 1 };
  for (const wrong of [
    { changes: [{ ...change, set: 'all' }] },
    { changes: [{ ...change, capabilities: -1 }] },
    { changes: [{ ...change, operation: 'xor' }] },
    { disable: ['USE_REMOTE_MEMORY'] },
    { pid: 0 },
  ])
    await assert.rejects(client.changeCapabilities(wrong as object), { code: 'KRG_BAD_REQUEST' });
  assert.equal(requests.length, asked);
});
