/** Thread: a server that sends without end or, if its data is "echo", what it gets. Posts its port. */
import net from "node:net";
import { parentPort, workerData } from "node:worker_threads";

const piece = new Uint8Array(1024 * 1024);

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => {});
  if (workerData === "echo") {
    socket.pipe(socket);
    return;
  }
  const send = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on("drain", send);
  send();
});
server.listen(0, "127.0.0.1", () => {
  parentPort!.postMessage((server.address() as net.AddressInfo).port);
});
