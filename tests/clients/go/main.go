// The scenario of clients.ts with two libraries: main <library> <url> <token> <ca file>.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

type client interface {
	// open returns the subprotocol, or the status of a refusal.
	open(url, token string, trust *tls.Config) (string, int)
	send(text string)
	// receive returns a message, or a close code.
	receive() (string, int)
	ping()
}

func header(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// github.com/gorilla/websocket
type gorillaClient struct{ ws *gorilla.Conn }

func (c *gorillaClient) open(url, token string, trust *tls.Config) (string, int) {
	dialer := gorilla.Dialer{TLSClientConfig: trust, Subprotocols: []string{"harness.v1"}}
	ws, response, err := dialer.Dial(url, header(token))
	if errors.Is(err, gorilla.ErrBadHandshake) {
		return "", response.StatusCode
	}
	check(err)
	c.ws = ws
	return ws.Subprotocol(), 0
}

func (c *gorillaClient) send(text string) {
	check(c.ws.WriteMessage(gorilla.TextMessage, []byte(text)))
}

func (c *gorillaClient) receive() (string, int) {
	_, data, err := c.ws.ReadMessage()
	var closed *gorilla.CloseError
	if errors.As(err, &closed) {
		return "", closed.Code
	}
	check(err)
	return string(data), 0
}

// ping is answered while the next message is read.
func (c *gorillaClient) ping() {
	answered := false
	c.ws.SetPongHandler(func(string) error { answered = true; return nil })
	check(c.ws.WriteControl(gorilla.PingMessage, []byte("are you there"), time.Now().Add(10*time.Second)))
	c.send(`{"id":"ping","type":"request","action":"list_packages"}`)
	for !answered {
		_, code := c.receive()
		if code != 0 {
			panic("closed")
		}
	}
}

// github.com/coder/websocket, formerly nhooyr.io/websocket
type coderClient struct {
	ws       *coder.Conn
	messages chan string
	code     int
}

func (c *coderClient) open(url, token string, trust *tls.Config) (string, int) {
	ws, response, err := coder.Dial(context.Background(), url, &coder.DialOptions{
		HTTPClient:   &http.Client{Transport: &http.Transport{TLSClientConfig: trust}},
		HTTPHeader:   header(token),
		Subprotocols: []string{"harness.v1"},
	})
	if err != nil && response != nil {
		return "", response.StatusCode
	}
	check(err)
	ws.SetReadLimit(-1)
	c.ws, c.messages = ws, make(chan string, 1000)
	go func() { // pongs are taken while something reads
		defer close(c.messages)
		for {
			_, data, err := ws.Read(context.Background())
			if err != nil {
				c.code = int(coder.CloseStatus(err))
				return
			}
			c.messages <- string(data)
		}
	}()
	return ws.Subprotocol(), 0
}

func (c *coderClient) send(text string) {
	check(c.ws.Write(context.Background(), coder.MessageText, []byte(text)))
}

func (c *coderClient) receive() (string, int) {
	text, open := <-c.messages
	if !open {
		return "", c.code
	}
	return text, 0
}

func (c *coderClient) ping() { check(c.ws.Ping(context.Background())) }

func main() {
	library, url, token, ca := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	pem, err := os.ReadFile(ca)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	trust := &tls.Config{RootCAs: pool}
	var c client = &gorillaClient{}
	if library == "coder" {
		c = &coderClient{}
	}
	_, status := c.open(url, "a-wrong-token-of-some-length", trust)
	fmt.Println("refused", status)
	protocol, _ := c.open(url, token, trust)
	fmt.Println("connected", protocol)

	type message struct {
		ID    string          `json:"id"`
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	take := func(id, event string) message {
		for {
			text, code := c.receive()
			if code != 0 {
				panic(fmt.Sprint("closed ", code))
			}
			var m message
			check(json.Unmarshal([]byte(text), &m))
			if (id != "" && m.ID == id) || (event != "" && m.Event == event) {
				return m
			}
		}
	}
	request := func(id, action string, params any) {
		text, err := json.Marshal(map[string]any{"id": id, "type": "request", "action": action, "params": params})
		check(err)
		c.send(string(text))
	}
	type object = map[string]any

	take("", "hello")
	fmt.Println("hello")
	request("1", "list_services", object{})
	fmt.Println("listed", strings.Count(string(take("1", "").Data), `"name":"big"`))
	request("2", "subscribe", object{})
	take("2", "")
	execution := object{"type": "managed_process", "command": "/bin/true"}
	request("3", "register_service", object{
		"service": object{"name": library, "version": "1", "execution": execution},
	})
	take("", "service_registered")
	fmt.Println("event")
	request("4", "get_service", object{"name": library, "padding": strings.Repeat("x", 1024*1024)})
	take("4", "")
	fmt.Println("sent a MiB")
	c.ping()
	fmt.Println("pong")
	take("", "bookmark")
	fmt.Println("bookmark")
	c.send("nonsense")
	for {
		if _, code := c.receive(); code != 0 {
			fmt.Println("closed", code)
			return
		}
	}
}
