/** The same as test/membership.test.ts, with the record of the cluster in an etcd. */
import { withEtcd } from '../support/stores.ts';

await withEtcd(() => import('../membership.test.ts'));
