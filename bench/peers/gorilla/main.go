// Gorilla's websocket as a peer of the benchmark: echo, and one channel with publishers and
// subscribers. gorilla PORT PING_SECONDS (0: no pings). GOMAXPROCS is for the caller to set.
package main

import (
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{
	ReadBufferSize:  1024,
	WriteBufferSize: 1024,
	WriteBufferPool: &sync.Pool{},
	CheckOrigin:     func(*http.Request) bool { return true },
}

var pingEvery time.Duration

// A channel's subscribers; each is written to by one publisher at a time, and by its pings.
type channel struct {
	mutex       sync.Mutex
	subscribers map[*websocket.Conn]struct{}
}

var only = channel{subscribers: map[*websocket.Conn]struct{}{}}

// One frame for all: gorilla's way of a broadcast that is encoded once.
func (c *channel) publish(kind int, data []byte) {
	message, err := websocket.NewPreparedMessage(kind, data)
	if err != nil {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for conn := range c.subscribers {
		_ = conn.WritePreparedMessage(message)
	}
}

func (c *channel) add(conn *websocket.Conn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.subscribers[conn] = struct{}{}
}

func (c *channel) remove(conn *websocket.Conn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.subscribers, conn)
}

func keepPinged(conn *websocket.Conn) *time.Timer {
	var timer *time.Timer
	timer = time.AfterFunc(pingEvery, func() {
		if conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) == nil {
			timer.Reset(pingEvery)
		}
	})
	return timer
}

func readAll(conn *websocket.Conn, take func(kind int, data []byte)) {
	for {
		kind, data, err := conn.ReadMessage()
		if err != nil {
			return
		}
		take(kind, data)
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	if pingEvery > 0 {
		defer keepPinged(conn).Stop()
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/echo"):
		readAll(conn, func(kind int, data []byte) { _ = conn.WriteMessage(kind, data) })
	case strings.HasPrefix(r.URL.Path, "/pub/"):
		readAll(conn, only.publish)
	default:
		only.add(conn)
		defer only.remove(conn)
		readAll(conn, func(int, []byte) {})
	}
}

func main() {
	seconds, _ := strconv.Atoi(os.Args[2])
	pingEvery = time.Duration(seconds) * time.Second
	http.HandleFunc("/", serve)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
