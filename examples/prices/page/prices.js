// Shows three stocks: the last prices at once, then live. One plain WebSocket a stock; each
// keeps the position (epoch and offset) of the last price it showed, and comes back with it
// after a lost connection, so that nothing is missed and nothing is shown twice.
"use strict";

const SYMBOLS = ["ACME", "GLOBEX", "INITECH"];
const SHOWN = 60;
const KEPT = 240;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 8000;

// What a channel's connection brings, in order, to one stock's card.
class Stock {
    constructor(symbol, card) {
        this.symbol = symbol;
        this.card = card;
        this.points = [];
        this.sequence = null;
        this.dirty = true;
        card.dataset.symbol = symbol;
        card.querySelector(".symbol").textContent = symbol;
        this.priceText = card.querySelector(".price");
        this.changeText = card.querySelector(".change");
        this.noteText = card.querySelector(".note");
        this.canvas = card.querySelector(".chart");
    }

    add(data) {
        if (typeof data !== "object" || data === null || !Number.isFinite(data.price)) {
            return;
        }
        // The service numbers its prices; a lower number is a service started anew.
        if (this.sequence !== null && data.sequence > this.sequence + 1) {
            this.markGap(data.sequence - this.sequence - 1);
        }
        this.sequence = data.sequence;
        this.points.push({ price: data.price, time: data.time, gap: this.gapNext === true });
        this.gapNext = false;
        if (this.points.length > KEPT) {
            this.points.splice(0, this.points.length - KEPT);
        }
        this.card.dataset.sequence = data.sequence;
        this.card.dataset.count = Number(this.card.dataset.count || 0) + 1;
        this.dirty = true;
    }

    markGap(count) {
        this.gapNext = true;
        this.card.dataset.gaps = Number(this.card.dataset.gaps || 0) + 1;
        this.noteText.textContent =
            count === null ? "some prices were lost" : `${count} prices were lost`;
    }

    draw() {
        if (!this.dirty) {
            return;
        }
        this.dirty = false;
        const shown = this.points.slice(-SHOWN);
        if (shown.length === 0) {
            return;
        }
        const last = shown[shown.length - 1].price;
        const percent = (last / shown[0].price - 1) * 100;
        this.priceText.textContent = last.toFixed(2);
        this.changeText.textContent = `${percent >= 0 ? "+" : "−"}${Math.abs(percent).toFixed(2)}%`;
        this.changeText.className = `change ${percent >= 0 ? "up" : "down"}`;
        this.drawLine(shown);
    }

    drawLine(shown) {
        const ratio = window.devicePixelRatio || 1;
        const width = this.canvas.clientWidth;
        const height = this.canvas.clientHeight;
        this.canvas.width = Math.round(width * ratio);
        this.canvas.height = Math.round(height * ratio);
        const pen = this.canvas.getContext("2d");
        const style = getComputedStyle(this.card);
        const prices = shown.map((point) => point.price);
        const low = Math.min(...prices);
        const span = Math.max(...prices) - low || 1;
        const margin = 6;
        const x = (i) => width - margin - ((shown.length - 1 - i) * (width - 2 * margin)) / (SHOWN - 1);
        const y = (price) => height - margin - ((price - low) * (height - 2 * margin)) / span;
        pen.scale(ratio, ratio);
        pen.lineWidth = 2;
        pen.lineJoin = "round";
        pen.strokeStyle = style.getPropertyValue("--line");
        pen.beginPath();
        shown.forEach((point, i) => {
            if (i === 0 || point.gap) {
                pen.moveTo(x(i), y(point.price));
            } else {
                pen.lineTo(x(i), y(point.price));
            }
        });
        pen.stroke();
        pen.fillStyle = pen.strokeStyle;
        pen.beginPath();
        pen.arc(x(shown.length - 1), y(prices[prices.length - 1]), 3.5, 0, 2 * Math.PI);
        pen.fill();
    }
}

// One channel over one WebSocket that opens itself again.
class Feed {
    constructor(stock, onState) {
        this.stock = stock;
        this.onState = onState;
        this.epoch = null;
        this.offset = 0;
        this.attempts = 0;
        this.open();
    }

    address() {
        const scheme = location.protocol === "https:" ? "wss:" : "ws:";
        const query = new URLSearchParams({ format: "json" });
        if (this.epoch === null) {
            query.set("history", SHOWN);
        } else {
            query.set("since", `${this.epoch}:${this.offset}`);
        }
        return `${scheme}//${location.host}/channels/prices:${this.stock.symbol}?${query}`;
    }

    open() {
        this.setState("connecting");
        this.first = true;
        const socket = new WebSocket(this.address());
        this.socket = socket;
        socket.onmessage = (event) => {
            if (socket === this.socket) {
                this.receive(JSON.parse(event.data));
            }
        };
        socket.onclose = () => {
            if (socket === this.socket) {
                this.openLater();
            }
        };
    }

    openLater() {
        this.setState("offline");
        // Full jitter, so that a thousand pages do not all come back in the same instant.
        const most = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.attempts);
        this.attempts += 1;
        setTimeout(() => this.open(), Math.random() * most);
    }

    receive(message) {
        if (message.gap) {
            this.stock.markGap(message.gap.dropped || null);
        } else if (this.first) {
            this.begin(message);
        } else {
            this.offset = message.offset;
            this.stock.add(message.data);
        }
    }

    // The first message says where the channel stands and whether what was missed follows.
    begin(message) {
        this.first = false;
        this.attempts = 0;
        if (this.epoch !== null && !message.recovered) {
            if (message.epoch !== this.epoch) {
                // The channel began anew (a restarted gateway): all of it is news to this page.
                this.epoch = message.epoch;
                this.offset = 0;
                const old = this.socket;
                this.open();
                old.close();
                return;
            }
            this.stock.markGap(null);
            this.offset = message.offset;
        }
        if (this.epoch === null) {
            // Only used if the connection is lost before the first price arrives.
            this.offset = message.offset;
        }
        this.epoch = message.epoch;
        this.setState("live");
    }

    setState(state) {
        this.state = state;
        this.onState();
    }
}

function start() {
    const stateBox = document.getElementById("state");
    const stateText = document.getElementById("state-text");
    const list = document.getElementById("stocks");
    const template = document.getElementById("stock");
    const feeds = [];
    const showState = () => {
        const states = feeds.map((feed) => feed.state);
        const worst = ["offline", "connecting"].find((state) => states.includes(state));
        const state = worst || (feeds.length === SYMBOLS.length ? "live" : "connecting");
        stateBox.dataset.state = state;
        stateText.textContent = state === "offline" ? "offline, coming back" : state;
    };
    const stocks = SYMBOLS.map((symbol) => {
        const card = template.content.firstElementChild.cloneNode(true);
        list.append(card);
        return new Stock(symbol, card);
    });
    stocks.forEach((stock) => feeds.push(new Feed(stock, showState)));
    showState();
    const frame = () => {
        stocks.forEach((stock) => stock.draw());
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    const redraw = () => stocks.forEach((stock) => (stock.dirty = true));
    window.addEventListener("resize", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

start();
