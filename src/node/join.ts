/** Joins this machine to a cluster that runs on others: a certificate for a token, then what has to be known of the cluster, then the daemon. */
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import { kernelIdentity } from '../fs/index.ts';
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC, machineTime } from '../ghost/index.ts';
import { isKorriganError, KorriganError } from '../linux/errors.ts';
import { type Address, enrol, type Enrolled, ownerOf, RpcNode, Trust, writeCredentials } from '../rpc/index.ts';
import { clusterDirectory, nodeDirectory, type ClusterDescription } from './api/index.ts';
import { readConfiguration, writeConfiguration } from './configuration.ts';
import { introductionCall, type Newcomer } from './newcomers.ts';
import { ready, startSupervisor } from './supervision.ts';

export interface JoinOptions {
  /** Of a node of the cluster that has its authority. */
  readonly at: Address;
  readonly token: string;
  /** Of this node; its address is the one from which the other node is reached when none is given. */
  readonly node: Pick<Newcomer, 'name' | 'port' | 'isStandby'> & { readonly address?: string };
  readonly onProgress?: (text: string) => void;
}

/** The node that answers may hear of the newcomer a moment later than the one that admitted it. */
const KNOWN_MILLISECONDS = 5000;
const AGAIN_MILLISECONDS = 50;
const CLOCK_SAMPLES = 10;
const ANSWER_MILLISECONDS = 2000;

/** @throws KorriganError KRG_TOKEN_INVALID, _USED, _EXPIRED; KRG_USAGE when this machine has the cluster already. @param undo takes away what this machine has of a cluster */
export async function join(
  { at, token, node, onProgress = () => undefined }: JoinOptions,
  undo: (cluster: string) => Promise<void>,
): Promise<ClusterDescription> {
  onProgress('asking for a certificate');
  let address = node.address ?? '';
  const credentials = await enrol(at, token, {
    about: (local) => {
      address = node.address ?? local;
      const { name, port, isStandby } = node;
      return { port, isStandby, address, ...(name === undefined ? {} : { name }) };
    },
  });
  const { cluster, id } = ownerOf(credentials);
  onProgress(`becoming node ${id} of ${cluster}`);
  const { pidsPerNode, offsets, view, store, capabilities } = await introduction(at, credentials);
  claim(cluster);
  try {
    const directory = nodeDirectory(cluster, id);
    mkdirSync(directory);
    writeCredentials(path.join(directory, 'identity.pem'), credentials);
    const name = view.nodes.find((known) => known.id === id)?.name ?? `node${id}`;
    const own = {
      id,
      name,
      address,
      port: node.port,
      socket: path.join(directory, 'krgd.sock'),
      bootOffsetSeconds: 0,
      isFirst: false,
      isStandby: node.isStandby,
    };
    writeConfiguration({ cluster, pidsPerNode, clockOffsets: offsets, store, capabilities, nodes: [own], joinedAt: view });
    const configuration = readConfiguration(cluster);
    const [configured] = configuration?.nodes ?? [];
    if (configuration === undefined || configured === undefined)
      throw new KorriganError('KRG_INTERNAL', `the configuration of cluster ${cluster} vanished while it was joined`);
    startSupervisor(configuration, configured);
    const pid = await ready(cluster, configured);
    const description = { cluster, nodes: [{ id, name, address, port: node.port, socket: own.socket, pid }] };
    writeFileSync(path.join(clusterDirectory(cluster), 'cluster.json'), `${JSON.stringify(description, null, 2)}\n`);
    return description;
  } catch (error) {
    await undo(cluster);
    throw error;
  }
}

function claim(cluster: string): void {
  const directory = clusterDirectory(cluster);
  mkdirSync(path.join(directory, '..'), { recursive: true });
  try {
    mkdirSync(directory);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new KorriganError(
      'KRG_USAGE',
      `this machine has a node of cluster "${cluster}" already, or what is left of one: krg down --cluster ${cluster}`,
      { cause },
    );
  }
}

type Answer = z.output<typeof introductionCall.response>;

interface Introduction extends Pick<Answer, 'pidsPerNode' | 'view' | 'store' | 'capabilities'> {
  /** How far the clocks of all containers are ahead of this machine's, nanoseconds. */
  readonly offsets: { readonly monotonic: string; readonly boottime: string };
}

/** What a member tells of the cluster to who has a certificate. */
async function introduction(at: Address, credentials: Enrolled): Promise<Introduction> {
  const { id } = ownerOf(credentials);
  await using rpc = new RpcNode({ trust: new Trust(credentials) });
  const { answerer } = credentials;
  if (answerer === id) throw new KorriganError('KRG_PEER_IDENTITY', `the node at ${at.host}:${at.port} is node ${id} itself`);
  rpc.addPeer(answerer, at.host, at.port);
  const { pidsPerNode, view, store, capabilities, machine } = await whenKnown(() => ask(rpc, answerer));
  const offsets = machine.boot === kernelIdentity() ? machine.offsets : await measureOffsets(() => ask(rpc, answerer));
  return { pidsPerNode, view, store, capabilities, offsets };
}

async function whenKnown<Result>(work: () => Promise<Result>): Promise<Result> {
  for (const until = performance.now() + KNOWN_MILLISECONDS; ; await delay(AGAIN_MILLISECONDS)) {
    try {
      return await work();
    } catch (error) {
      if (!isKorriganError(error, 'KRG_NO_SUCH_NODE') || performance.now() > until) throw error;
    }
  }
}

function ask(rpc: RpcNode, node: number): Promise<Answer> {
  return rpc.call(node, introductionCall, {}, { deadlineMs: ANSWER_MILLISECONDS });
}

/** Of several answers the one that was there first: it was given in the middle of the time that it took, give or take half of that. */
async function measureOffsets(question: () => Promise<Answer>): Promise<Introduction['offsets']> {
  let best: { took: bigint; offsets: Introduction['offsets'] } | undefined;
  for (let sample = 0; sample < CLOCK_SAMPLES; sample++) {
    const [asked, askedBoot] = [machineTime(CLOCK_MONOTONIC), machineTime(CLOCK_BOOTTIME)];
    const { clocks } = await question();
    const took = machineTime(CLOCK_MONOTONIC) - asked;
    const offset = (theirs: string, ours: bigint): string => String(BigInt(theirs) - ours - took / 2n);
    const offsets = { monotonic: offset(clocks.monotonic, asked), boottime: offset(clocks.boottime, askedBoot) };
    if (best === undefined || took < best.took) best = { took, offsets };
  }
  return best?.offsets ?? { monotonic: '0', boottime: '0' };
}
