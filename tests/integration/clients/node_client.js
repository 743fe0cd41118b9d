// A client on Debian's node-ws. Prints one JSON line with what it saw; the test judges.
// usage: node_client.js MODE URL [COUNT]
"use strict";

const WebSocket = require("ws");

const [mode, url, count = "100"] = process.argv.slice(2);
const total = Number(count);
const guard = setTimeout(() => finish({ error: "timed out" }), 20000);

function finish(result) {
    clearTimeout(guard);
    console.log(JSON.stringify(result));
    process.exit(0);
}

function echo() {
    const socket = new WebSocket(url);
    const sent = [];
    let wrong = 0;
    let got = 0;
    let pongs = 0;
    socket.on("open", () => {
        socket.ping("are you there");
        for (let i = 0; i < total; i++) {
            const binary = i % 2 === 1;
            const data = binary ? Buffer.alloc(i * 7, i & 255) : `message ${i} ${"é".repeat(i)}`;
            sent.push({ binary, bytes: Buffer.from(data) });
            socket.send(data, { binary });
        }
    });
    socket.on("pong", (data) => (pongs += data.toString() === "are you there"));
    socket.on("message", (data, binary) => {
        const wanted = sent[got++];
        wrong += wanted.binary !== binary || !wanted.bytes.equals(data);
        if (got === total) {
            socket.close(4001, "done");
        }
    });
    socket.on("close", (code) => finish({ got, wrong, pongs, code }));
    socket.on("error", (error) => finish({ error: String(error) }));
}

function fragments() {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.on("open", () => {
        socket.send("one ", { fin: false });
        socket.send("two ", { fin: false });
        socket.send("three", { fin: true });
    });
    socket.on("message", (data) => {
        socket.close();
        finish({ text: data.toString() });
    });
    socket.on("error", (error) => finish({ error: String(error) }));
}

function subscribe() {
    const socket = new WebSocket(url);
    const messages = [];
    socket.on("open", () => console.error("open"));
    socket.on("message", (data) => {
        messages.push(data.toString());
        if (messages.length === total) {
            socket.close(1000);
        }
    });
    socket.on("close", (code) => finish({ messages, code }));
    socket.on("error", (error) => finish({ error: String(error) }));
}

function refused() {
    const socket = new WebSocket(url, { origin: "https://evil.example" });
    socket.on("unexpected-response", (request, response) => finish({ status: response.statusCode }));
    socket.on("open", () => finish({ status: 101 }));
    socket.on("error", (error) => finish({ error: String(error) }));
}

({ echo, fragments, subscribe, refused })[mode]();
