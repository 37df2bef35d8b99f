// Run by: npm install; npm test
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as k8s from '@kubernetes/client-node';
import { start } from './kubesim.js';

const namespace = 'default';

// A Job whose image nobody has: the PodScript says what its container does.
const job = {
  metadata: { name: 'import' },
  spec: {
    backoffLimit: 4,
    template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'example.com/import:1' }] } },
  },
};
const script = {
  apiVersion: 'sim.kubesim.dev/v1alpha1',
  kind: 'PodScript',
  metadata: { name: 'import' },
  spec: {
    match: { image: 'example.com/import:*' },
    attempts: [
      { steps: [{ log: 'no database' }, { exit: 3 }] },
      { steps: [{ log: 'no database' }, { exit: 3 }] },
      { steps: [{ wait: '2h' }, { log: 'imported' }] },
    ],
  },
};

async function run(t, seed) {
  const cluster = await start(t, { seed });
  const batch = cluster.client(k8s.BatchV1Api);
  await cluster.client(k8s.CustomObjectsApi).createClusterCustomObject({
    group: 'sim.kubesim.dev', version: 'v1alpha1', plural: 'podscripts', body: script,
  });
  await batch.createNamespacedJob({ namespace, body: job });
  await cluster.eventually(3 * 60 * 60, async () => {
    const { status } = await batch.readNamespacedJob({ namespace, name: 'import' });
    return status.succeeded === 1;
  });
  const core = cluster.client(k8s.CoreV1Api);
  const { items } = await core.listNamespacedPod({ namespace });
  const pods = [];
  for (const { metadata: { name, creationTimestamp }, status: { phase } } of items) {
    const log = await core.readNamespacedPodLog({ namespace, name });
    pods.push({ name, phase, log, created: creationTimestamp.toISOString() });
  }
  return pods.sort((a, b) => a.created.localeCompare(b.created));
}

test('a Job is retried until it succeeds', async (t) => {
  const pods = await run(t, 7);
  assert.deepEqual(pods.map(({ phase, log }) => [phase, log]), [
    ['Failed', 'no database\n'],
    ['Failed', 'no database\n'],
    ['Succeeded', 'imported\n'],
  ]);
});

test('the same seed gives the same names and times', async (t) => {
  assert.deepEqual(await run(t, 7), await run(t, 7));
  assert.notDeepEqual(await run(t, 7), await run(t, 8));
});

test('a wait of two hours takes none', async (t) => {
  const cluster = await start(t);
  const { status } = await cluster.advance('2h');
  assert.equal(status.now, '2026-01-01T02:00:00.000000Z');
  await assert.rejects(cluster.advance('tomorrow'), /must be a duration/);
});
