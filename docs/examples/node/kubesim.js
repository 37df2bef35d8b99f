// A simulated cluster for a test: kubesim serve in clock mode manual, and its clock.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import * as k8s from '@kubernetes/client-node';

const clock = '/apis/sim.kubesim.dev/v1alpha1/clocks/cluster';

// start starts a cluster of its own for a test, at whose end it stops. The seed decides
// every name; $KUBESIM is the binary, if it is not on the PATH.
export async function start(t, { seed = 1 } = {}) {
  const server = spawn(process.env.KUBESIM ?? 'kubesim', [
    'serve', '--ephemeral', '--listen', '127.0.0.1:0',
    '--clock', 'manual', '--start-time', '2026-01-01T00:00:00Z', '--seed', String(seed),
  ], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(server, 'exit');
  t.after(async () => {
    server.kill('SIGINT');
    await exited;
  });
  // One line is printed, when all nodes are Ready: export KUBECONFIG=PATH
  for await (const line of createInterface({ input: server.stdout })) {
    const config = new k8s.KubeConfig();
    config.loadFromFile(line.replace('export KUBECONFIG=', ''));
    return new Cluster(config);
  }
  throw new Error('kubesim serve has ended; it says why on stderr');
}

class Cluster {
  constructor(config) {
    this.config = config;
  }

  client(api) {
    return this.config.makeApiClient(api);
  }

  // What moves time resolves when the cluster has settled. They resolve to the Clock.
  advance(duration) {
    return this.#ask('POST', `${clock}/advance`, { duration });
  }

  next() {
    return this.#ask('POST', `${clock}/advance`, { next: true });
  }

  // settled resolves when nothing is due at this instant. After a request of this test's
  // own, that is so already.
  settled() {
    return this.#ask('GET', `${clock}/settled`);
  }

  // eventually moves time from timer to timer until check holds, by at most so many
  // seconds of virtual time. There is no sleep in it, and no polling.
  async eventually(seconds, check) {
    let { status } = await this.settled();
    const end = Date.parse(status.now) + seconds * 1000;
    while (!(await check())) {
      if (!status.nextTimer || Date.parse(status.nextTimer) > end) {
        throw new Error(`it is ${status.now}, and the condition does not hold`);
      }
      ({ status } = await this.next());
    }
  }

  async #ask(method, path, body) {
    const options = { method, headers: { 'Content-Type': 'application/json' } };
    await this.config.applyToHTTPSOptions(options);
    const url = this.config.getCurrentCluster().server + path;
    return new Promise((resolve, reject) => {
      const asked = request(url, options, async (answer) => {
        try {
          let text = '';
          for await (const chunk of answer) text += chunk;
          const object = JSON.parse(text);
          if (answer.statusCode !== 200) throw new Error(object.message);
          resolve(object);
        } catch (err) {
          reject(err);
        }
      });
      asked.on('error', reject);
      asked.end(body && JSON.stringify(body));
    });
  }
}
