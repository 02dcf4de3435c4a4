/** The certificates of a daemon, in the directories of a cluster that has no daemons. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import { z } from 'zod';
import { CertificateAuthority, defineCall, ownerOf, readCredentials, RpcNode, writeCredentials } from '../rpc/index.ts';
import { clusterDirectory, nodeDirectory } from './api/index.ts';
import { createCertificates, isRenewalDue, NodeCertificates, pauseBeforeRenewal } from './certificates.ts';

const cluster = `test-certificates-${process.pid}`;
const log = pino({ level: 'silent' });
const identity = (id: number): string => join(nodeDirectory(cluster, id), 'identity.pem');
const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;
/** Four seconds. */
const SHORT_DAYS = 4000 / DAY;
const open = (id: number): Promise<NodeCertificates> => NodeCertificates.open({ cluster, id, log });

before(async () => {
  for (const id of [1, 2, 3]) mkdirSync(nodeDirectory(cluster, id), { recursive: true });
  await createCertificates(cluster, [1, 2, 3]);
});
after(() => rmSync(clusterDirectory(cluster), { recursive: true }));

describe('certificates of a daemon', () => {
  test('are those of its node, and only its owner can read its key', async () => {
    using one = await open(1);
    assert.deepEqual({ ...one.trust.self, serial: '' }, { cluster, id: 1, serial: '' });
    assert.equal(statSync(identity(1)).mode & 0o777, 0o600);
    copyFileSync(identity(2), identity(3));
    await assert.rejects(open(3), { code: 'KRG_PEER_IDENTITY' });
    chmodSync(identity(2), 0o604);
    await assert.rejects(open(2), { code: 'KRG_PERMISSION' });
    chmodSync(identity(2), 0o600);
  });

  test('are renewed when a third of their time is left, with a new key', async () => {
    const day = DAY;
    const valid = { validFrom: new Date(0), validTo: new Date(30 * day) };
    assert.deepEqual(
      [0, 19.9, 20.1, 31].map((days) => isRenewalDue(valid, days * day)),
      [false, false, true, true],
    );
    const pause = (days: number): number => pauseBeforeRenewal(valid, days * day);
    assert.deepEqual([pause(0), pause(20), pause(31)], [HOUR, HOUR, 1000]);
    const authority = await CertificateAuthority.open(join(clusterDirectory(cluster), 'authority'), cluster);
    const short = await authority.credentialsFor(1, SHORT_DAYS / 4);
    writeCredentials(identity(1), short);
    await delay(900);
    using one = await open(1);
    assert.ok(one.trust.validTo.getTime() > Date.now() + 20 * day);
    const renewed = readCredentials(identity(1));
    assert.notEqual(renewed.key, short.key);
    assert.equal(ownerOf(renewed).serial, one.trust.self.serial);
  });

  test('that are short are renewed in time while the daemon runs, also where the authority is not', async () => {
    const authorityDirectory = join(clusterDirectory(cluster), 'authority');
    const authority = await CertificateAuthority.open(authorityDirectory, cluster);
    for (const id of [1, 2]) writeCredentials(identity(id), await authority.credentialsFor(id, SHORT_DAYS));
    using one = await open(1);
    renameSync(authorityDirectory, `${authorityDirectory}.elsewhere`);
    using two = await open(2);
    renameSync(`${authorityDirectory}.elsewhere`, authorityDirectory);
    const first = [one.trust.self.serial, two.trust.self.serial];
    await using nodeOne = new RpcNode({ trust: one.trust });
    await using nodeTwo = new RpcNode({ trust: two.trust });
    one.join(nodeOne);
    two.join(nodeTwo);
    const { host, port } = await nodeOne.listen({ host: '127.0.0.1', port: 0 });
    nodeOne.addPeer(2, host, 1);
    nodeTwo.addPeer(1, host, port);
    for (const [n, certificates] of [one, two].entries()) {
      while (certificates.trust.self.serial === first[n]) await delay(20);
      assert.ok(certificates.trust.validTo.getTime() > Date.now() + 20 * DAY);
      assert.equal(ownerOf(readCredentials(identity(n + 1))).serial, certificates.trust.self.serial);
    }
    // The link that was made with the old one stays; another is made with the new one.
    nodeTwo.disconnect(1);
    const ping = defineCall('test.ping', z.object({}), z.object({}));
    nodeOne.handle(ping, () => ({}));
    await nodeTwo.call(1, ping, {});
  });

  test('revocations are kept for the next daemon of the node', async () => {
    using one = await open(1);
    await assert.rejects(one.revoke(1), { code: 'KRG_BAD_REQUEST' });
    await one.revoke(2);
    using next = await open(1);
    assert.equal(next.trust.revoked.number, 1);
    assert.deepEqual(next.trust.revoked.serials, one.trust.revoked.serials);
    using stranger = await open(2);
    const { id, serial } = stranger.trust.self;
    assert.equal(next.trust.revocationOf({ id, serial })?.code, 'KRG_PEER_REVOKED');
  });
});
