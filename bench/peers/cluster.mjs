// Runs a server on as many processes as there are processors, as one does in
// production, and prints its address when all of them listen. All end when the
// input of the first does.
import cluster from "node:cluster";
import { availableParallelism } from "node:os";

export const workers = availableParallelism();
// The connections to the database that each process may open: 20 together.
export const connections = Math.ceil(20 / workers);

// run calls start(port, host) in each process. It listens there.
export async function run(start) {
  if (cluster.isWorker) {
    await start(0, "127.0.0.1"); // all get the same port
    return;
  }
  let listening = 0;
  cluster.on("listening", (_, { port }) => {
    if (++listening === workers) console.log(`127.0.0.1:${port}`);
  });
  let ending = false;
  cluster.on("exit", (_, code) => {
    if (!ending) process.exit(code || 1);
  });
  for (let i = 0; i < workers; i++) cluster.fork();
  process.stdin.resume().on("end", () => {
    ending = true;
    for (const w of Object.values(cluster.workers)) w.process.kill();
    process.exit(0);
  });
}
