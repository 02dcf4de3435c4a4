/**
 * rpc: typed calls, notices and streams between nodes.
 *
 * A call, a notice or a stream is *defined* once (`defineCall` …: a name and schemas) and shared by both sides; a node *handles* it and others
 * *call* it, over one link per pair of nodes that is made when it is first needed. What is received is parsed against its schema. Rules:
 *
 * * Frames of one priority keep their order on a link: handlers are started in the order in which their calls were made. `control` overtakes `bulk`.
 * * A call ends, always: with its response, its handler's error, KRG_DEADLINE, KRG_CANCELLED, or KRG_NODE_DEAD when its link is lost or cannot be made.
 *   After KRG_NODE_DEAD it is not known whether the call was carried out. A call with an idempotency key is sent again over the next link
 *   instead, and carried out once in the life of the peer.
 * * Handlers that share `Turns` run one after the other for each group, such as an object of one peer. A handler may be for chosen nodes only.
 * * Streams are bounded by credit: a writer waits for its reader. Calls, queues, frames and handshakes are bounded by `limits.ts`.
 * * Links are mutual TLS 1.3 under the cluster's own authority (`certificates/`): the certificate says which node of which cluster a peer is. Private
 *   keys are made where they are used and lie in files of mode 0600.
 * * A peer that breaks the protocol loses its link, and nothing else. One without a certificate, with one of another cluster, another node or one that
 *   was revoked, or that speaks no version of the protocol that this one does (`versions.ts`), gets a refusal that says so.
 * * A node without a certificate gets one for a token that is good once (`enrolment/`), from a node that has the authority, over the same port.
 *
 * docs/rpc.md names the test of each of them.
 *
 * Layers, from below: `frame` (bytes ↔ frames) · `certificates/`, `handshake`, `admission` (who may have a link) · `link` (one connection) · `session` with
 * `call-table` and `stream-table` (what is said over it) · `port`, `peer` (links that come and go) · `rpc-node`.
 */
export { CertificateAuthority } from './certificates/authority.ts';
export { type NodeCredentials, ownerOf, readCredentials, writeCredentials } from './certificates/credentials.ts';
export { readPrivateFileIfPresent, replacePrivateFile } from './certificates/private-files.ts';
export { NOTHING_REVOKED, type RevocationList, readRevocationList } from './certificates/revocation-list.ts';
export { Trust } from './certificates/trust.ts';
export type {
  AnyDefinition,
  CallDefinition,
  Carried,
  NodeId,
  NoticeDefinition,
  Priority,
  Received,
  Sent,
  StreamDefinition,
} from './definition.ts';
export { defineCall, defineNotice, defineStream, rawBytes } from './definition.ts';
export { enrol, type Enrolled } from './enrolment/enrol.ts';
export type { Enrol } from './enrolment/serve.ts';
export { decodeToken } from './enrolment/token.ts';
export { Enrolment, type NewToken } from './enrolment/enrolment.ts';
export { renewCredentials, serveRenewal } from './enrolment/renewal.ts';
export type { GroupAnswer, GroupPolicy } from './group-call.ts';
export type { CallContext } from './incoming-call.ts';
export { DEFAULT_LIMITS, PROTOCOL_VERSION, type RpcLimits } from './limits.ts';
export type { RpcLog } from './log.ts';
export type { CallOptions } from './outgoing-call.ts';
export { pack, unpack } from './message.ts';
export type { Address, LinkListener } from './peer.ts';
export type { HandlerOptions, NoticeContext } from './registry.ts';
export type { StreamOptions } from './open-stream.ts';
export { RpcNode, type RpcNodeOptions } from './rpc-node.ts';
export type { RpcStream } from './stream.ts';
export { Turns } from './turns.ts';
