// Command ingestd runs ingest alone, with its OTLP receivers, against a ClickHouse that exists: what the benchmarks
// and the crash tool measure when the rest of the product shall not disturb.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tidemarkhq/tidemark/ingest"
	"github.com/tidemarkhq/tidemark/ingest/otlp"
)

func main() {
	opts, receive := ingest.DefaultOptions(), otlp.DefaultOptions()
	flag.StringVar(&opts.DSN, "dsn", "", "ClickHouse: tcp://HOST:PORT?username=…&password=…&database=…")
	flag.StringVar(&opts.SpoolDir, "spool", "", "spool directory")
	flag.StringVar(&receive.GRPCAddr, "grpc", receive.GRPCAddr, "OTLP/gRPC address")
	flag.StringVar(&receive.HTTPAddr, "http", receive.HTTPAddr, "OTLP/HTTP address")
	flag.IntVar(&opts.FlushRows, "rows", opts.FlushRows, "items a batch")
	flag.DurationVar(&opts.FlushInterval, "interval", opts.FlushInterval, "how long a batch stays open")
	flag.DurationVar(&opts.FlushIntervalBusy, "busy-interval", opts.FlushIntervalBusy, "the same under load")
	flag.BoolVar(&opts.AckAfterCommit, "ack-after-commit", false, "answer only when ClickHouse has committed")
	debug := flag.String("debug", "", "address for /debug/pprof/ and /stats")
	flag.Parse()

	in, err := ingest.New(context.Background(), opts)
	if err != nil {
		log.Fatal(err)
	}
	srv, err := otlp.Serve(in.Submit, receive)
	if err != nil {
		log.Fatal(err)
	}
	if *debug != "" {
		mux := http.NewServeMux()
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/stats", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(in.Stats()) })
		go func() { log.Print(http.ListenAndServe(*debug, mux)) }()
	}
	fmt.Printf("ready otlp_grpc=%s otlp_http=%s pid=%d\n", srv.GRPCAddr(), srv.HTTPAddr(), os.Getpid())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	srv.Shutdown(ctx)
	if err := in.Close(ctx); err != nil {
		log.Fatal(err)
	}
}
