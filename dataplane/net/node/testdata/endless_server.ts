/** Worker: a server that sends without end, or, if its name is "echo", what it gets. Posts its port. */
import net from "node:net";

const piece = new Uint8Array(1024 * 1024);

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => {});
  if (self.name === "echo") {
    socket.pipe(socket);
    return;
  }
  const send = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on("drain", send);
  send();
});
server.listen(0, "127.0.0.1", () => self.postMessage((server.address() as net.AddressInfo).port));
