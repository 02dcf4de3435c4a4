/** The same as test/locks.test.ts, with the record of the cluster in an etcd. */
import { withEtcd } from '../support/stores.ts';

await withEtcd(() => import('../locks.test.ts'));
