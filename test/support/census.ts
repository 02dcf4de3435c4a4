/** Everything that a cluster has on this machine at one moment, by name, so that two moments can be compared. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { containerCgroup } from '../../src/container/index.ts';
import { clusterDirectory, type ClusterDescription, daemonPid, NodeClient } from '../../src/node/index.ts';

/** What one node has. Lists are sorted; an entry of a kind is there as often as it exists. */
export interface NodeCensus {
  /** Processes of the container by their global pids, zombies and husks among them. */
  readonly processes: readonly string[];
  readonly containerDescriptors: readonly string[];
  readonly containerThreads: number;
  /** Mappings of pid 1. */
  readonly containerMemory: readonly string[];
  readonly mounts: readonly string[];
  readonly cgroups: readonly string[];
  /** Below the directory of the cluster. */
  readonly files: readonly string[];
}

/** What the nodes of a cluster have, in the order of their ids. Asking leaves a connection to the daemon behind for a moment. */
export async function takeCensus({ cluster, nodes }: ClusterDescription): Promise<NodeCensus[]> {
  return Promise.all(
    nodes.map(async ({ id, socket }) => {
      const status = await new NodeClient(socket).status();
      const init = status.nodes.find((node) => node.id === id)?.daemon?.containerPid;
      if (init === undefined) throw new Error(`node ${id} does not say which process its container has`);
      return countNode(cluster, id, init);
    }),
  );
}

/** What a daemon has for itself. Its threads open and allocate some things at their first use, and its heaps grow until garbage is collected. */
export interface DaemonResources {
  readonly descriptors: number;
  readonly threads: number;
  readonly mappings: number;
  /** Resident memory that is no file's. */
  readonly bytes: number;
}

/** In the order of the nodes' ids. */
export function daemonResources({ cluster, nodes }: ClusterDescription): DaemonResources[] {
  return nodes.map(({ id }) => {
    const folder = `/proc/${daemonPid(cluster, id)}`;
    const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`${folder}/status`, 'utf8'))?.[1];
    return {
      descriptors: readdirSync(`${folder}/fd`).length,
      threads: readdirSync(`${folder}/task`).length,
      mappings: linesOf(`${folder}/maps`).length,
      bytes: Number(kilobytes) * 1024,
    };
  });
}

function countNode(cluster: string, id: number, init: number): NodeCensus {
  return {
    processes: withoutTemplate(descendants(init).map(nameOf)).toSorted(),
    containerDescriptors: descriptors(init),
    containerThreads: readdirSync(`/proc/${init}/task`).length,
    containerMemory: linesOf(`/proc/${init}/maps`),
    // Those of network namespaces belong to other clusters of this machine, which come and go.
    mounts: linesOf(`/proc/${init}/mountinfo`).filter((line) => !line.includes(' - nsfs ')),
    // What arrives together has a group of its own, named for the move; that of the husks is made when there is the first.
    cgroups: directoriesBelow(containerCgroup(cluster, id).path)
      .map((path) => path.replace(/\/m[0-9a-f]{16}$/, '/of-a-move'))
      .filter((path) => !path.endsWith('/husks')),
    files: readdirSync(join(clusterDirectory(cluster), `node${id}`)).toSorted(),
  };
}

/** Without the one husk from which others are made: it is there from the first use. */
function withoutTemplate(names: readonly string[]): string[] {
  const template = names.find((name) => name.endsWith(' husk'));
  return names.filter((name) => name !== template);
}

const linesOf = (file: string): string[] => readFileSync(file, 'utf8').split('\n').toSorted();

function descendants(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    (tryRead(`/proc/${pid}/task/${task}/children`) ?? '').split(' ').filter(Boolean).map(Number),
  );
  return [...children, ...children.flatMap(descendants)];
}

function nameOf(hostPid: number): string {
  const status = tryRead(`/proc/${hostPid}/status`) ?? '';
  const [pid, name, state] = ['NSpid', 'Name', 'State'].map((key) => new RegExp(`^${key}:.*?(\\S+)( \\(.*)?$`, 'm').exec(status)?.[1]);
  return `${pid} ${name}${state === 'Z' ? ' (zombie)' : ''}`;
}

function tryRead(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // it ended meanwhile
  }
}

/** What a process has open, without the numbers that tell one socket or pipe from another. */
function descriptors(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder)
    .flatMap((fd) => {
      try {
        return [readlinkSync(join(folder, fd)).replace(/\[\d+\]$/, '')];
      } catch {
        return []; // closed meanwhile
      }
    })
    .toSorted();
}

function directoriesBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => [join(path, entry.name), ...directoriesBelow(join(path, entry.name))])
    .toSorted();
}
