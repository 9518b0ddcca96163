// Durable puts on an etcd over gRPC: etcdload -endpoint 127.0.0.1:2379 [-connections 64] (-seconds 1 | -count n)
// [-keys n] [-size bytes]. Each connection puts again when its last put was answered. Prints one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	endpoint := flag.String("endpoint", "127.0.0.1:2379", "address of etcd")
	connections := flag.Int("connections", 64, "clients, each with a connection of its own")
	seconds := flag.Float64("seconds", 1, "how long to measure")
	count := flag.Int64("count", 0, "puts after which to stop, instead")
	keys := flag.Int64("keys", 10000, "keys to put, in turn")
	size := flag.Int("size", 600, "bytes of a value")
	flag.Parse()

	var clients []*clientv3.Client
	for i := 0; i < *connections; i++ {
		client, err := clientv3.New(clientv3.Config{
			Endpoints:   []string{*endpoint},
			DialTimeout: 10 * time.Second,
		})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := client.Get(context.Background(), "warm"); err != nil {
			log.Fatal(err)
		}
		clients = append(clients, client)
	}

	padding := strings.Repeat("x", *size)
	var next int64
	var wait sync.WaitGroup
	waits := make([][]float64, *connections)
	begun, used := time.Now(), cpu()
	for i, client := range clients {
		wait.Add(1)
		go func(i int, client *clientv3.Client) {
			defer wait.Done()
			for {
				n := atomic.AddInt64(&next, 1) - 1
				if *count > 0 && n >= *count {
					return
				}
				if *count == 0 && time.Since(begun).Seconds() >= *seconds {
					return
				}
				value := fmt.Sprintf("%010d", n) + padding
				sent := time.Now()
				key := fmt.Sprintf("service-%07d", n%*keys)
				if _, err := client.Put(context.Background(), key, value[:*size]); err != nil {
					log.Fatal(err)
				}
				waits[i] = append(waits[i], time.Since(sent).Seconds()*1000)
			}
		}(i, client)
	}
	wait.Wait()
	took := time.Since(begun)

	var all []float64
	for _, some := range waits {
		all = append(all, some...)
	}
	sort.Float64s(all)
	at := func(part float64) float64 { return all[int(part*float64(len(all)-1))] }
	report := map[string]float64{
		"count":      float64(len(all)),
		"seconds":    took.Seconds(),
		"rate":       float64(len(all)) / took.Seconds(),
		"p50_ms":     at(0.5),
		"p99_ms":     at(0.99),
		"max_ms":     at(1),
		"client_cpu": 100 * (cpu() - used).Seconds() / took.Seconds(),
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		log.Fatal(err)
	}
}
