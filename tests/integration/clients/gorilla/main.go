// A client on gorilla/websocket. Prints one JSON line with what it saw; the test judges.
// usage: gorilla MODE URL [COUNT]
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

type report struct {
	Got      int      `json:"got"`
	Wrong    int      `json:"wrong"`
	Pongs    int      `json:"pongs"`
	Code     int      `json:"code"`
	Messages []string `json:"messages,omitempty"`
	Error    string   `json:"error,omitempty"`
}

func finish(r report) {
	line, _ := json.Marshal(r)
	fmt.Println(string(line))
	os.Exit(0)
}

func closeCode(err error) int {
	if closed, ok := err.(*websocket.CloseError); ok {
		return closed.Code
	}
	return -1
}

func main() {
	mode, url, total := os.Args[1], os.Args[2], 100
	if len(os.Args) > 3 {
		total, _ = strconv.Atoi(os.Args[3])
	}
	// A small write buffer makes gorilla send every larger message in fragments.
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second, WriteBufferSize: 64}
	conn, _, err := dialer.Dial(url, nil)
	if err != nil {
		finish(report{Error: err.Error()})
	}
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	r := report{}
	conn.SetPongHandler(func(string) error { r.Pongs++; return nil })
	if mode == "echo" {
		echo(conn, total, &r)
	} else {
		subscribe(conn, total, &r)
	}
	finish(r)
}

func echo(conn *websocket.Conn, total int, r *report) {
	deadline := time.Now().Add(20 * time.Second)
	conn.WriteControl(websocket.PingMessage, []byte("are you there"), deadline)
	for i := 0; i < total; i++ {
		kind, data := websocket.TextMessage, bytes.Repeat([]byte("é"), i*5)
		if i%2 == 1 {
			kind, data = websocket.BinaryMessage, bytes.Repeat([]byte{byte(i)}, i*11)
		}
		if err := conn.WriteMessage(kind, data); err != nil {
			r.Error = err.Error()
			return
		}
		gotKind, got, err := conn.ReadMessage()
		if err != nil {
			r.Error = err.Error()
			return
		}
		r.Got++
		if gotKind != kind || !bytes.Equal(got, data) {
			r.Wrong++
		}
	}
	text := websocket.FormatCloseMessage(4002, "done")
	conn.WriteControl(websocket.CloseMessage, text, deadline)
	_, _, err := conn.ReadMessage()
	r.Code = closeCode(err)
}

func subscribe(conn *websocket.Conn, total int, r *report) {
	for r.Got < total {
		_, data, err := conn.ReadMessage()
		if err != nil {
			r.Error = err.Error()
			return
		}
		r.Messages = append(r.Messages, string(data))
		r.Got++
	}
}
