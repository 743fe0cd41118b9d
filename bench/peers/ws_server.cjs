'use strict';
// Node's ws as a peer of the benchmark: echo, and one channel with publishers and subscribers.
// node ws_server.cjs PORT PING_SECONDS (0: no pings); NODE_PATH must lead to Debian's node-ws.

const { createServer } = require('http');
const { WebSocketServer, WebSocket } = require('ws');

const port = Number(process.argv[2]);
const pingSeconds = Number(process.argv[3] || 0);
const options = { noServer: true, perMessageDeflate: false, clientTracking: false };
const server = new WebSocketServer(options);
const http = createServer();
const subscribers = new Set();

function publish(data, isBinary) {
  for (const subscriber of subscribers) {
    subscriber.send(data, { binary: isBinary });
  }
}

function keepPinged(socket) {
  const timer = setInterval(() => {
    if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, pingSeconds * 1000);
  socket.on('close', () => clearInterval(timer));
}

function begin(socket, path) {
  if (path.startsWith('/echo')) {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  } else if (path.startsWith('/pub/')) {
    socket.on('message', publish);
  } else {
    subscribers.add(socket);
    socket.on('close', () => subscribers.delete(socket));
  }
  socket.on('error', () => socket.terminate());
  if (pingSeconds > 0) keepPinged(socket);
}

http.on('upgrade', (request, stream, head) => {
  server.handleUpgrade(request, stream, head, (socket) => begin(socket, request.url));
});
http.listen({ port, host: '127.0.0.1', backlog: 4096 });
